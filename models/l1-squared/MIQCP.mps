* Source:     Pyomo MPS Writer
* Format:     Free MPS
*
NAME l1-squared_MIQCP_0_2
ROWS
 N  objective
 L  c_u_data_budget(0)_
 L  c_u_data_x_below(0_0)_
 L  c_u_data_x_below(0_1)_
 L  c_u_data_x_below(1_0)_
 L  c_u_data_x_below(1_1)_
 L  c_u_data_x_below(2_0)_
 L  c_u_data_x_below(2_1)_
 L  c_u_data_x_below(3_0)_
 L  c_u_data_x_below(3_1)_
 G  c_l_data_x_above(0_0)_
 G  c_l_data_x_above(0_1)_
 G  c_l_data_x_above(1_0)_
 G  c_l_data_x_above(1_1)_
 G  c_l_data_x_above(2_0)_
 G  c_l_data_x_above(2_1)_
 G  c_l_data_x_above(3_0)_
 G  c_l_data_x_above(3_1)_
 G  c_l_data_x_size_up(0_0)_
 G  c_l_data_x_size_up(0_1)_
 G  c_l_data_x_size_up(1_0)_
 G  c_l_data_x_size_up(1_1)_
 G  c_l_data_x_size_up(2_0)_
 G  c_l_data_x_size_up(2_1)_
 G  c_l_data_x_size_up(3_0)_
 G  c_l_data_x_size_up(3_1)_
 G  c_l_data_x_size_down(0_0)_
 G  c_l_data_x_size_down(0_1)_
 G  c_l_data_x_size_down(1_0)_
 G  c_l_data_x_size_down(1_1)_
 G  c_l_data_x_size_down(2_0)_
 G  c_l_data_x_size_down(2_1)_
 G  c_l_data_x_size_down(3_0)_
 G  c_l_data_x_size_down(3_1)_
 L  c_u_data_x_total(0)_
 L  c_u_data_x_total(1)_
 L  c_u_data_x_total(2)_
 L  c_u_data_x_total(3)_
 E  c_e_step(0)_gradient_dense1_weight_product(0_0_0)_
 E  c_e_step(0)_gradient_dense1_weight_product(0_0_1)_
 E  c_e_step(0)_gradient_dense1_weight_product(1_0_0)_
 E  c_e_step(0)_gradient_dense1_weight_product(1_0_1)_
 E  c_e_step(0)_gradient_dense1_weight_product(2_0_0)_
 E  c_e_step(0)_gradient_dense1_weight_product(2_0_1)_
 E  c_e_step(0)_gradient_dense1_weight_product(3_0_0)_
 E  c_e_step(0)_gradient_dense1_weight_product(3_0_1)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(0_0_0)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(0_0_1)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(1_0_0)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(1_0_1)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(2_0_0)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(2_0_1)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(3_0_0)_
 L  c_u_step(0)_gradient_dense1_weight_stays_below(3_0_1)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(0_0_0)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(0_0_1)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(1_0_0)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(1_0_1)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(2_0_0)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(2_0_1)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(3_0_0)_
 G  c_l_step(0)_gradient_dense1_weight_stays_above(3_0_1)_
 E  c_e_step(0)_update_dense1_weight(0_0)_
 E  c_e_step(0)_update_dense1_weight(0_1)_
 G  c_l_step(0)_update_dense1_weight_branch_above(0_0)_
 G  c_l_step(0)_update_dense1_weight_branch_above(0_1)_
 L  c_u_step(0)_update_dense1_weight_branch_below(0_0)_
 L  c_u_step(0)_update_dense1_weight_branch_below(0_1)_
 E  c_e_step(0)_update_dense1_bias(0)_
 G  c_l_step(0)_update_dense1_bias_branch_above(0)_
 L  c_u_step(0)_update_dense1_bias_branch_below(0)_
 E  c_e_step(1)_forward_dense1_product_product(0_0)_
 E  c_e_step(1)_forward_dense1_product_product(1_0)_
 E  c_e_step(1)_forward_dense1_product_product(2_0)_
 E  c_e_step(1)_forward_dense1_product_product(3_0)_
 E  c_e_step(1)_gradient_dense1_weight_product(0_0_0)_
 E  c_e_step(1)_gradient_dense1_weight_product(0_0_1)_
 E  c_e_step(1)_gradient_dense1_weight_product(1_0_0)_
 E  c_e_step(1)_gradient_dense1_weight_product(1_0_1)_
 E  c_e_step(1)_gradient_dense1_weight_product(2_0_0)_
 E  c_e_step(1)_gradient_dense1_weight_product(2_0_1)_
 E  c_e_step(1)_gradient_dense1_weight_product(3_0_0)_
 E  c_e_step(1)_gradient_dense1_weight_product(3_0_1)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(0_0_0)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(0_0_1)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(1_0_0)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(1_0_1)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(2_0_0)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(2_0_1)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(3_0_0)_
 L  c_u_step(1)_gradient_dense1_weight_stays_below(3_0_1)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(0_0_0)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(0_0_1)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(1_0_0)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(1_0_1)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(2_0_0)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(2_0_1)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(3_0_0)_
 G  c_l_step(1)_gradient_dense1_weight_stays_above(3_0_1)_
 E  c_e_step(1)_update_dense1_weight(0_0)_
 E  c_e_step(1)_update_dense1_weight(0_1)_
 G  c_l_step(1)_update_dense1_weight_branch_above(0_0)_
 G  c_l_step(1)_update_dense1_weight_branch_above(0_1)_
 L  c_u_step(1)_update_dense1_weight_branch_below(0_0)_
 L  c_u_step(1)_update_dense1_weight_branch_below(0_1)_
 E  c_e_step(1)_update_dense1_bias(0)_
 G  c_l_step(1)_update_dense1_bias_branch_above(0)_
 L  c_u_step(1)_update_dense1_bias_branch_below(0)_
COLUMNS
     data_selector(0) c_u_data_budget(0)_ 1
     data_selector(0) c_u_data_x_below(0_0)_ -0.20000000000000162
     data_selector(0) c_u_data_x_below(0_1)_ -0.20000000000000065
     data_selector(0) c_l_data_x_above(0_0)_ 0.20000000000000162
     data_selector(0) c_l_data_x_above(0_1)_ 0.2000000000000007
     data_selector(0) c_u_data_x_total(0)_ -0.2000000000000022
     data_selector(0) c_u_step(0)_gradient_dense1_weight_stays_below(0_0_0)_ -0.42675317178221306
     data_selector(0) c_u_step(0)_gradient_dense1_weight_stays_below(0_0_1)_ -0.28708959397365652
     data_selector(0) c_l_step(0)_gradient_dense1_weight_stays_above(0_0_0)_ 0.47884453178227004
     data_selector(0) c_l_step(0)_gradient_dense1_weight_stays_above(0_0_1)_ 0.33918095397371506
     data_selector(0) c_l_step(0)_update_dense1_weight_branch_above(0_0)_ 0.010668829294555371
     data_selector(0) c_l_step(0)_update_dense1_weight_branch_above(0_1)_ 0.0071772398493414324
     data_selector(0) c_u_step(0)_update_dense1_weight_branch_below(0_0)_ -0.011971113294556829
     data_selector(0) c_u_step(0)_update_dense1_weight_branch_below(0_1)_ -0.0084795238493429181
     data_selector(0) c_l_step(0)_update_dense1_bias_branch_above(0)_ 0.0032557100000036865
     data_selector(0) c_u_step(0)_update_dense1_bias_branch_below(0)_ -0.0032557100000035755
     data_selector(0) c_u_step(1)_gradient_dense1_weight_stays_below(0_0_0)_ -0.44586855958393556
     data_selector(0) c_u_step(1)_gradient_dense1_weight_stays_below(0_0_1)_ -0.24721461052203564
     data_selector(0) c_l_step(1)_gradient_dense1_weight_stays_above(0_0_0)_ 0.55690807745745685
     data_selector(0) c_l_step(1)_gradient_dense1_weight_stays_above(0_0_1)_ 0.3582541283955577
     data_selector(0) c_l_step(1)_update_dense1_weight_branch_above(0_0)_ 0.025530617200033523
     data_selector(0) c_l_step(1)_update_dense1_weight_branch_above(0_1)_ 0.017022578841678349
     data_selector(0) c_u_step(1)_update_dense1_weight_branch_below(0_0)_ -0.028783195336503781
     data_selector(0) c_u_step(1)_update_dense1_weight_branch_below(0_1)_ -0.020275156716288489
     data_selector(0) c_l_step(1)_update_dense1_bias_branch_above(0)_ 0.011536444628533704
     data_selector(0) c_u_step(1)_update_dense1_bias_branch_below(0)_ -0.011536444628533649
     data_selector(1) c_u_data_budget(0)_ 1
     data_selector(1) c_u_data_x_below(1_0)_ -0.20000000000000101
     data_selector(1) c_u_data_x_below(1_1)_ -0.20000000000000046
     data_selector(1) c_l_data_x_above(1_0)_ 0.20000000000000101
     data_selector(1) c_l_data_x_above(1_1)_ 0.20000000000000046
     data_selector(1) c_u_data_x_total(1)_ -0.20000000000000132
     data_selector(1) c_u_step(0)_gradient_dense1_weight_stays_below(1_0_0)_ -0.27189167665971303
     data_selector(1) c_u_step(0)_gradient_dense1_weight_stays_below(1_0_1)_ -0.23735614680687434
     data_selector(1) c_l_step(0)_gradient_dense1_weight_stays_above(1_0_0)_ 0.32398303665977091
     data_selector(1) c_l_step(0)_gradient_dense1_weight_stays_above(1_0_1)_ 0.18526478680681568
     data_selector(1) c_l_step(0)_update_dense1_weight_branch_above(0_0)_ 0.0067972919164928369
     data_selector(1) c_l_step(0)_update_dense1_weight_branch_above(0_1)_ 0.0059339036701718806
     data_selector(1) c_u_step(0)_update_dense1_weight_branch_below(0_0)_ -0.0080995759164942949
     data_selector(1) c_u_step(0)_update_dense1_weight_branch_below(0_1)_ -0.0046316196701703949
     data_selector(1) c_l_step(0)_update_dense1_bias_branch_above(0)_ 0.0032557100000035755
     data_selector(1) c_u_step(0)_update_dense1_bias_branch_below(0)_ -0.0032557100000035755
     data_selector(1) c_u_step(1)_gradient_dense1_weight_stays_below(1_0_0)_ -0.33502863271272165
     data_selector(1) c_u_step(1)_gradient_dense1_weight_stays_below(1_0_1)_ -0.30795628454876306
     data_selector(1) c_l_step(1)_gradient_dense1_weight_stays_above(1_0_0)_ 0.43117218689244297
     data_selector(1) c_l_step(1)_gradient_dense1_weight_stays_above(1_0_1)_ 0.21181273036904
     data_selector(1) c_l_step(1)_update_dense1_weight_branch_above(0_0)_ 0.017824454258230343
     data_selector(1) c_l_step(1)_update_dense1_weight_branch_above(0_1)_ 0.01570277627449912
     data_selector(1) c_u_step(1)_update_dense1_weight_branch_below(0_0)_ -0.020940902861540406
     data_selector(1) c_u_step(1)_update_dense1_weight_branch_below(0_1)_ -0.012586327933048869
     data_selector(1) c_l_step(1)_update_dense1_bias_branch_above(0)_ 0.010406668559817089
     data_selector(1) c_u_step(1)_update_dense1_bias_branch_below(0)_ -0.010406668559817145
     data_selector(2) c_u_data_budget(0)_ 1
     data_selector(2) c_u_data_x_below(2_0)_ -0.20000000000000037
     data_selector(2) c_u_data_x_below(2_1)_ -0.20000000000000084
     data_selector(2) c_l_data_x_above(2_0)_ 0.20000000000000037
     data_selector(2) c_l_data_x_above(2_1)_ 0.20000000000000084
     data_selector(2) c_u_data_x_total(2)_ -0.20000000000000109
     data_selector(2) c_u_step(0)_gradient_dense1_weight_stays_below(2_0_0)_ -0.37054761630685962
     data_selector(2) c_u_step(0)_gradient_dense1_weight_stays_below(2_0_1)_ -0.39665606639568685
     data_selector(2) c_l_step(0)_gradient_dense1_weight_stays_above(2_0_0)_ 0.31845625630679991
     data_selector(2) c_l_step(0)_gradient_dense1_weight_stays_above(2_0_1)_ 0.44874742639574783
     data_selector(2) c_l_step(0)_update_dense1_weight_branch_above(0_0)_ 0.0092636904076714988
     data_selector(2) c_l_step(0)_update_dense1_weight_branch_above(0_1)_ 0.00991640165989216
     data_selector(2) c_u_step(0)_update_dense1_weight_branch_below(0_0)_ -0.0079614064076700408
     data_selector(2) c_u_step(0)_update_dense1_weight_branch_below(0_1)_ -0.011218685659893701
     data_selector(2) c_l_step(0)_update_dense1_bias_branch_above(0)_ 0.0032557100000035755
     data_selector(2) c_u_step(0)_update_dense1_bias_branch_below(0)_ -0.0032557100000035755
     data_selector(2) c_u_step(1)_gradient_dense1_weight_stays_below(2_0_0)_ -0.38369359538718856
     data_selector(2) c_u_step(1)_gradient_dense1_weight_stays_below(2_0_1)_ -0.40120038694531535
     data_selector(2) c_l_step(1)_gradient_dense1_weight_stays_above(2_0_0)_ 0.28997095022458208
     data_selector(2) c_l_step(1)_gradient_dense1_weight_stays_above(2_0_1)_ 0.49492303210792365
     data_selector(2) c_l_step(1)_update_dense1_weight_branch_above(0_0)_ 0.022030244755981643
     data_selector(2) c_l_step(1)_update_dense1_weight_branch_above(0_1)_ 0.023650766649610189
     data_selector(2) c_u_step(1)_update_dense1_weight_branch_below(0_0)_ -0.018866273655971516
     data_selector(2) c_u_step(1)_update_dense1_weight_branch_below(0_1)_ -0.026814737487760254
     data_selector(2) c_l_step(1)_update_dense1_bias_branch_above(0)_ 0.011553111381921555
     data_selector(2) c_u_step(1)_update_dense1_bias_branch_below(0)_ -0.011553111381921666
     data_selector(3) c_u_data_budget(0)_ 1
     data_selector(3) c_u_data_x_below(3_0)_ -0.20000000000000062
     data_selector(3) c_u_data_x_below(3_1)_ -0.20000000000000165
     data_selector(3) c_l_data_x_above(3_0)_ 0.20000000000000057
     data_selector(3) c_l_data_x_above(3_1)_ 0.20000000000000165
     data_selector(3) c_u_data_x_total(3)_ -0.20000000000000215
     data_selector(3) c_u_step(0)_gradient_dense1_weight_stays_below(3_0_0)_ -0.74513135441330358
     data_selector(3) c_u_step(0)_gradient_dense1_weight_stays_below(3_0_1)_ -0.90374368533548477
     data_selector(3) c_l_step(0)_gradient_dense1_weight_stays_above(3_0_0)_ 0.6930399944132426
     data_selector(3) c_l_step(0)_gradient_dense1_weight_stays_above(3_0_1)_ 0.85165232533542579
     data_selector(3) c_l_step(0)_update_dense1_weight_branch_above(0_0)_ 0.018628283860332662
     data_selector(3) c_l_step(0)_update_dense1_weight_branch_above(0_1)_ 0.022593592133387241
     data_selector(3) c_u_step(0)_update_dense1_weight_branch_below(0_0)_ -0.017325999860331148
     data_selector(3) c_u_step(0)_update_dense1_weight_branch_below(0_1)_ -0.021291308133385756
     data_selector(3) c_l_step(0)_update_dense1_bias_branch_above(0)_ 0.0032557100000036865
     data_selector(3) c_u_step(0)_update_dense1_bias_branch_below(0)_ -0.0032557100000036865
     data_selector(3) c_u_step(1)_gradient_dense1_weight_stays_below(3_0_0)_ -0.68835635260871619
     data_selector(3) c_u_step(1)_gradient_dense1_weight_stays_below(3_0_1)_ -0.91396252998156946
     data_selector(3) c_l_step(1)_gradient_dense1_weight_stays_above(3_0_0)_ 0.57471724711017347
     data_selector(3) c_l_step(1)_gradient_dense1_weight_stays_above(3_0_1)_ 0.8003234244830284
     data_selector(3) c_l_step(1)_update_dense1_weight_branch_above(0_0)_ 0.04230366634921931
     data_selector(3) c_l_step(1)_update_dense1_weight_branch_above(0_1)_ 0.052262966925659571
     data_selector(3) c_u_step(1)_update_dense1_weight_branch_below(0_0)_ -0.038508928224691735
     data_selector(3) c_u_step(1)_update_dense1_weight_branch_below(0_1)_ -0.04846822906299203
     data_selector(3) c_l_step(1)_update_dense1_bias_branch_above(0)_ 0.01527224215337053
     data_selector(3) c_u_step(1)_update_dense1_bias_branch_below(0)_ -0.01527224215337053
     data_x(0_0) c_u_data_x_below(0_0)_ 1
     data_x(0_0) c_l_data_x_above(0_0)_ 1
     data_x(0_0) c_l_data_x_size_up(0_0)_ -1
     data_x(0_0) c_l_data_x_size_down(0_0)_ 1
     data_x(0_0) c_e_step(0)_gradient_dense1_weight_product(0_0_0)_ 1.439168
     data_x(0_0) c_e_step(0)_update_dense1_bias(0)_ 0.0096846500000000012
     data_x(0_0) c_e_step(1)_gradient_dense1_weight_product(0_0_0)_ 0.140846
     data_x(0_1) c_u_data_x_below(0_1)_ 1
     data_x(0_1) c_l_data_x_above(0_1)_ 1
     data_x(0_1) c_l_data_x_size_up(0_1)_ -1
     data_x(0_1) c_l_data_x_size_down(0_1)_ 1
     data_x(0_1) c_e_step(0)_gradient_dense1_weight_product(0_0_1)_ 1.439168
     data_x(0_1) c_e_step(0)_update_dense1_bias(0)_ -0.016278549999999999
     data_x(0_1) c_e_step(1)_gradient_dense1_weight_product(0_0_1)_ 0.140846
     data_x(1_0) c_u_data_x_below(1_0)_ 1
     data_x(1_0) c_l_data_x_above(1_0)_ 1
     data_x(1_0) c_l_data_x_size_up(1_0)_ -1
     data_x(1_0) c_l_data_x_size_down(1_0)_ 1
     data_x(1_0) c_e_step(0)_gradient_dense1_weight_product(1_0_0)_ -1.4340720000000002
     data_x(1_0) c_e_step(0)_update_dense1_bias(0)_ 0.0096846500000000012
     data_x(1_0) c_e_step(1)_gradient_dense1_weight_product(1_0_0)_ -2.7323940000000002
     data_x(1_1) c_u_data_x_below(1_1)_ 1
     data_x(1_1) c_l_data_x_above(1_1)_ 1
     data_x(1_1) c_l_data_x_size_up(1_1)_ -1
     data_x(1_1) c_l_data_x_size_down(1_1)_ 1
     data_x(1_1) c_e_step(0)_gradient_dense1_weight_product(1_0_1)_ -1.4340720000000002
     data_x(1_1) c_e_step(0)_update_dense1_bias(0)_ -0.016278549999999999
     data_x(1_1) c_e_step(1)_gradient_dense1_weight_product(1_0_1)_ -2.7323940000000002
     data_x(2_0) c_u_data_x_below(2_0)_ 1
     data_x(2_0) c_l_data_x_above(2_0)_ 1
     data_x(2_0) c_l_data_x_size_up(2_0)_ -1
     data_x(2_0) c_l_data_x_size_down(2_0)_ 1
     data_x(2_0) c_e_step(0)_gradient_dense1_weight_product(2_0_0)_ 0.98846199999999995
     data_x(2_0) c_e_step(0)_update_dense1_bias(0)_ 0.0096846500000000012
     data_x(2_0) c_e_step(1)_gradient_dense1_weight_product(2_0_0)_ -0.30986000000000002
     data_x(2_1) c_u_data_x_below(2_1)_ 1
     data_x(2_1) c_l_data_x_above(2_1)_ 1
     data_x(2_1) c_l_data_x_size_up(2_1)_ -1
     data_x(2_1) c_l_data_x_size_down(2_1)_ 1
     data_x(2_1) c_e_step(0)_gradient_dense1_weight_product(2_0_1)_ 0.98846199999999995
     data_x(2_1) c_e_step(0)_update_dense1_bias(0)_ -0.016278549999999999
     data_x(2_1) c_e_step(1)_gradient_dense1_weight_product(2_0_1)_ -0.30986000000000002
     data_x(3_0) c_u_data_x_below(3_0)_ 1
     data_x(3_0) c_l_data_x_above(3_0)_ 1
     data_x(3_0) c_l_data_x_size_up(3_0)_ -1
     data_x(3_0) c_l_data_x_size_down(3_0)_ 1
     data_x(3_0) c_e_step(0)_gradient_dense1_weight_product(3_0_0)_ 4.1997299999999997
     data_x(3_0) c_e_step(0)_update_dense1_bias(0)_ 0.0096846500000000012
     data_x(3_0) c_e_step(1)_gradient_dense1_weight_product(3_0_0)_ 2.901408
     data_x(3_1) c_u_data_x_below(3_1)_ 1
     data_x(3_1) c_l_data_x_above(3_1)_ 1
     data_x(3_1) c_l_data_x_size_up(3_1)_ -1
     data_x(3_1) c_l_data_x_size_down(3_1)_ 1
     data_x(3_1) c_e_step(0)_gradient_dense1_weight_product(3_0_1)_ 4.1997299999999997
     data_x(3_1) c_e_step(0)_update_dense1_bias(0)_ -0.016278549999999999
     data_x(3_1) c_e_step(1)_gradient_dense1_weight_product(3_0_1)_ 2.901408
     data_x_size(0_0) c_l_data_x_size_up(0_0)_ 1
     data_x_size(0_0) c_l_data_x_size_down(0_0)_ 1
     data_x_size(0_0) c_u_data_x_total(0)_ 1
     data_x_size(0_1) c_l_data_x_size_up(0_1)_ 1
     data_x_size(0_1) c_l_data_x_size_down(0_1)_ 1
     data_x_size(0_1) c_u_data_x_total(0)_ 1
     data_x_size(1_0) c_l_data_x_size_up(1_0)_ 1
     data_x_size(1_0) c_l_data_x_size_down(1_0)_ 1
     data_x_size(1_0) c_u_data_x_total(1)_ 1
     data_x_size(1_1) c_l_data_x_size_up(1_1)_ 1
     data_x_size(1_1) c_l_data_x_size_down(1_1)_ 1
     data_x_size(1_1) c_u_data_x_total(1)_ 1
     data_x_size(2_0) c_l_data_x_size_up(2_0)_ 1
     data_x_size(2_0) c_l_data_x_size_down(2_0)_ 1
     data_x_size(2_0) c_u_data_x_total(2)_ 1
     data_x_size(2_1) c_l_data_x_size_up(2_1)_ 1
     data_x_size(2_1) c_l_data_x_size_down(2_1)_ 1
     data_x_size(2_1) c_u_data_x_total(2)_ 1
     data_x_size(3_0) c_l_data_x_size_up(3_0)_ 1
     data_x_size(3_0) c_l_data_x_size_down(3_0)_ 1
     data_x_size(3_0) c_u_data_x_total(3)_ 1
     data_x_size(3_1) c_l_data_x_size_up(3_1)_ 1
     data_x_size(3_1) c_l_data_x_size_down(3_1)_ 1
     data_x_size(3_1) c_u_data_x_total(3)_ 1
     parameter(1)_dense1_weight(0_0) c_e_step(0)_update_dense1_weight(0_0)_ 1
     parameter(1)_dense1_weight(0_0) c_l_step(0)_update_dense1_weight_branch_above(0_0)_ 1
     parameter(1)_dense1_weight(0_0) c_u_step(0)_update_dense1_weight_branch_below(0_0)_ 1
     parameter(1)_dense1_weight(0_0) c_e_step(1)_update_dense1_weight(0_0)_ -1
     parameter(1)_dense1_weight(0_1) c_e_step(0)_update_dense1_weight(0_1)_ 1
     parameter(1)_dense1_weight(0_1) c_l_step(0)_update_dense1_weight_branch_above(0_1)_ 1
     parameter(1)_dense1_weight(0_1) c_u_step(0)_update_dense1_weight_branch_below(0_1)_ 1
     parameter(1)_dense1_weight(0_1) c_e_step(1)_update_dense1_weight(0_1)_ -1
     parameter(1)_dense1_bias(0) c_e_step(0)_update_dense1_bias(0)_ 1
     parameter(1)_dense1_bias(0) c_l_step(0)_update_dense1_bias_branch_above(0)_ 1
     parameter(1)_dense1_bias(0) c_u_step(0)_update_dense1_bias_branch_below(0)_ 1
     parameter(1)_dense1_bias(0) c_e_step(1)_update_dense1_bias(0)_ -0.79999999999999982
     parameter(2)_dense1_weight(0_0) objective 1
     parameter(2)_dense1_weight(0_0) c_e_step(1)_update_dense1_weight(0_0)_ 1
     parameter(2)_dense1_weight(0_0) c_l_step(1)_update_dense1_weight_branch_above(0_0)_ 1
     parameter(2)_dense1_weight(0_0) c_u_step(1)_update_dense1_weight_branch_below(0_0)_ 1
     parameter(2)_dense1_weight(0_1) c_e_step(1)_update_dense1_weight(0_1)_ 1
     parameter(2)_dense1_weight(0_1) c_l_step(1)_update_dense1_weight_branch_above(0_1)_ 1
     parameter(2)_dense1_weight(0_1) c_u_step(1)_update_dense1_weight_branch_below(0_1)_ 1
     parameter(2)_dense1_bias(0) c_e_step(1)_update_dense1_bias(0)_ 1
     parameter(2)_dense1_bias(0) c_l_step(1)_update_dense1_bias_branch_above(0)_ 1
     parameter(2)_dense1_bias(0) c_u_step(1)_update_dense1_bias_branch_below(0)_ 1
     step(0)_gradient_dense1_weight(0_0_0) c_e_step(0)_gradient_dense1_weight_product(0_0_0)_ 1
     step(0)_gradient_dense1_weight(0_0_0) c_u_step(0)_gradient_dense1_weight_stays_below(0_0_0)_ 1
     step(0)_gradient_dense1_weight(0_0_0) c_l_step(0)_gradient_dense1_weight_stays_above(0_0_0)_ 1
     step(0)_gradient_dense1_weight(0_0_0) c_e_step(0)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(0)_gradient_dense1_weight(0_0_1) c_e_step(0)_gradient_dense1_weight_product(0_0_1)_ 1
     step(0)_gradient_dense1_weight(0_0_1) c_u_step(0)_gradient_dense1_weight_stays_below(0_0_1)_ 1
     step(0)_gradient_dense1_weight(0_0_1) c_l_step(0)_gradient_dense1_weight_stays_above(0_0_1)_ 1
     step(0)_gradient_dense1_weight(0_0_1) c_e_step(0)_update_dense1_weight(0_1)_ 0.025000000000000001
     step(0)_gradient_dense1_weight(1_0_0) c_e_step(0)_gradient_dense1_weight_product(1_0_0)_ 1
     step(0)_gradient_dense1_weight(1_0_0) c_u_step(0)_gradient_dense1_weight_stays_below(1_0_0)_ 1
     step(0)_gradient_dense1_weight(1_0_0) c_l_step(0)_gradient_dense1_weight_stays_above(1_0_0)_ 1
     step(0)_gradient_dense1_weight(1_0_0) c_e_step(0)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(0)_gradient_dense1_weight(1_0_1) c_e_step(0)_gradient_dense1_weight_product(1_0_1)_ 1
     step(0)_gradient_dense1_weight(1_0_1) c_u_step(0)_gradient_dense1_weight_stays_below(1_0_1)_ 1
     step(0)_gradient_dense1_weight(1_0_1) c_l_step(0)_gradient_dense1_weight_stays_above(1_0_1)_ 1
     step(0)_gradient_dense1_weight(1_0_1) c_e_step(0)_update_dense1_weight(0_1)_ 0.025000000000000001
     step(0)_gradient_dense1_weight(2_0_0) c_e_step(0)_gradient_dense1_weight_product(2_0_0)_ 1
     step(0)_gradient_dense1_weight(2_0_0) c_u_step(0)_gradient_dense1_weight_stays_below(2_0_0)_ 1
     step(0)_gradient_dense1_weight(2_0_0) c_l_step(0)_gradient_dense1_weight_stays_above(2_0_0)_ 1
     step(0)_gradient_dense1_weight(2_0_0) c_e_step(0)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(0)_gradient_dense1_weight(2_0_1) c_e_step(0)_gradient_dense1_weight_product(2_0_1)_ 1
     step(0)_gradient_dense1_weight(2_0_1) c_u_step(0)_gradient_dense1_weight_stays_below(2_0_1)_ 1
     step(0)_gradient_dense1_weight(2_0_1) c_l_step(0)_gradient_dense1_weight_stays_above(2_0_1)_ 1
     step(0)_gradient_dense1_weight(2_0_1) c_e_step(0)_update_dense1_weight(0_1)_ 0.025000000000000001
     step(0)_gradient_dense1_weight(3_0_0) c_e_step(0)_gradient_dense1_weight_product(3_0_0)_ 1
     step(0)_gradient_dense1_weight(3_0_0) c_u_step(0)_gradient_dense1_weight_stays_below(3_0_0)_ 1
     step(0)_gradient_dense1_weight(3_0_0) c_l_step(0)_gradient_dense1_weight_stays_above(3_0_0)_ 1
     step(0)_gradient_dense1_weight(3_0_0) c_e_step(0)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(0)_gradient_dense1_weight(3_0_1) c_e_step(0)_gradient_dense1_weight_product(3_0_1)_ 1
     step(0)_gradient_dense1_weight(3_0_1) c_u_step(0)_gradient_dense1_weight_stays_below(3_0_1)_ 1
     step(0)_gradient_dense1_weight(3_0_1) c_l_step(0)_gradient_dense1_weight_stays_above(3_0_1)_ 1
     step(0)_gradient_dense1_weight(3_0_1) c_e_step(0)_update_dense1_weight(0_1)_ 0.025000000000000001
     step(1)_forward_dense1_product(0_0) c_e_step(1)_forward_dense1_product_product(0_0)_ 1
     step(1)_forward_dense1_product(0_0) c_e_step(1)_update_dense1_bias(0)_ 0.050000000000000003
     step(1)_forward_dense1_product(1_0) c_e_step(1)_forward_dense1_product_product(1_0)_ 1
     step(1)_forward_dense1_product(1_0) c_e_step(1)_update_dense1_bias(0)_ 0.050000000000000003
     step(1)_forward_dense1_product(2_0) c_e_step(1)_forward_dense1_product_product(2_0)_ 1
     step(1)_forward_dense1_product(2_0) c_e_step(1)_update_dense1_bias(0)_ 0.050000000000000003
     step(1)_forward_dense1_product(3_0) c_e_step(1)_forward_dense1_product_product(3_0)_ 1
     step(1)_forward_dense1_product(3_0) c_e_step(1)_update_dense1_bias(0)_ 0.050000000000000003
     step(1)_gradient_dense1_weight(0_0_0) c_e_step(1)_gradient_dense1_weight_product(0_0_0)_ 1
     step(1)_gradient_dense1_weight(0_0_0) c_u_step(1)_gradient_dense1_weight_stays_below(0_0_0)_ 1
     step(1)_gradient_dense1_weight(0_0_0) c_l_step(1)_gradient_dense1_weight_stays_above(0_0_0)_ 1
     step(1)_gradient_dense1_weight(0_0_0) c_e_step(1)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(1)_gradient_dense1_weight(0_0_1) c_e_step(1)_gradient_dense1_weight_product(0_0_1)_ 1
     step(1)_gradient_dense1_weight(0_0_1) c_u_step(1)_gradient_dense1_weight_stays_below(0_0_1)_ 1
     step(1)_gradient_dense1_weight(0_0_1) c_l_step(1)_gradient_dense1_weight_stays_above(0_0_1)_ 1
     step(1)_gradient_dense1_weight(0_0_1) c_e_step(1)_update_dense1_weight(0_1)_ 0.025000000000000001
     step(1)_gradient_dense1_weight(1_0_0) c_e_step(1)_gradient_dense1_weight_product(1_0_0)_ 1
     step(1)_gradient_dense1_weight(1_0_0) c_u_step(1)_gradient_dense1_weight_stays_below(1_0_0)_ 1
     step(1)_gradient_dense1_weight(1_0_0) c_l_step(1)_gradient_dense1_weight_stays_above(1_0_0)_ 1
     step(1)_gradient_dense1_weight(1_0_0) c_e_step(1)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(1)_gradient_dense1_weight(1_0_1) c_e_step(1)_gradient_dense1_weight_product(1_0_1)_ 1
     step(1)_gradient_dense1_weight(1_0_1) c_u_step(1)_gradient_dense1_weight_stays_below(1_0_1)_ 1
     step(1)_gradient_dense1_weight(1_0_1) c_l_step(1)_gradient_dense1_weight_stays_above(1_0_1)_ 1
     step(1)_gradient_dense1_weight(1_0_1) c_e_step(1)_update_dense1_weight(0_1)_ 0.025000000000000001
     step(1)_gradient_dense1_weight(2_0_0) c_e_step(1)_gradient_dense1_weight_product(2_0_0)_ 1
     step(1)_gradient_dense1_weight(2_0_0) c_u_step(1)_gradient_dense1_weight_stays_below(2_0_0)_ 1
     step(1)_gradient_dense1_weight(2_0_0) c_l_step(1)_gradient_dense1_weight_stays_above(2_0_0)_ 1
     step(1)_gradient_dense1_weight(2_0_0) c_e_step(1)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(1)_gradient_dense1_weight(2_0_1) c_e_step(1)_gradient_dense1_weight_product(2_0_1)_ 1
     step(1)_gradient_dense1_weight(2_0_1) c_u_step(1)_gradient_dense1_weight_stays_below(2_0_1)_ 1
     step(1)_gradient_dense1_weight(2_0_1) c_l_step(1)_gradient_dense1_weight_stays_above(2_0_1)_ 1
     step(1)_gradient_dense1_weight(2_0_1) c_e_step(1)_update_dense1_weight(0_1)_ 0.025000000000000001
     step(1)_gradient_dense1_weight(3_0_0) c_e_step(1)_gradient_dense1_weight_product(3_0_0)_ 1
     step(1)_gradient_dense1_weight(3_0_0) c_u_step(1)_gradient_dense1_weight_stays_below(3_0_0)_ 1
     step(1)_gradient_dense1_weight(3_0_0) c_l_step(1)_gradient_dense1_weight_stays_above(3_0_0)_ 1
     step(1)_gradient_dense1_weight(3_0_0) c_e_step(1)_update_dense1_weight(0_0)_ 0.025000000000000001
     step(1)_gradient_dense1_weight(3_0_1) c_e_step(1)_gradient_dense1_weight_product(3_0_1)_ 1
     step(1)_gradient_dense1_weight(3_0_1) c_u_step(1)_gradient_dense1_weight_stays_below(3_0_1)_ 1
     step(1)_gradient_dense1_weight(3_0_1) c_l_step(1)_gradient_dense1_weight_stays_above(3_0_1)_ 1
     step(1)_gradient_dense1_weight(3_0_1) c_e_step(1)_update_dense1_weight(0_1)_ 0.025000000000000001
RHS
     RHS c_u_data_budget(0)_ 1.0000000000000018
     RHS c_u_data_x_below(0_0)_ 1.664824000000003
     RHS c_u_data_x_below(0_1)_ 0.59237300000000104
     RHS c_u_data_x_below(1_0)_ -0.97453099999999826
     RHS c_u_data_x_below(1_1)_ 0.30933900000000053
     RHS c_u_data_x_below(2_0)_ -0.20302699999999965
     RHS c_u_data_x_below(2_1)_ 0.80350900000000147
     RHS c_u_data_x_below(3_0)_ -0.48726599999999909
     RHS c_u_data_x_below(3_1)_ -1.705220999999997
     RHS c_l_data_x_above(0_0)_ 1.6648239999999972
     RHS c_l_data_x_above(0_1)_ 0.59237299999999904
     RHS c_l_data_x_above(1_0)_ -0.97453100000000181
     RHS c_l_data_x_above(1_1)_ 0.30933899999999942
     RHS c_l_data_x_above(2_0)_ -0.20302700000000037
     RHS c_l_data_x_above(2_1)_ 0.80350899999999859
     RHS c_l_data_x_above(3_0)_ -0.48726600000000087
     RHS c_l_data_x_above(3_1)_ -1.7052210000000032
     RHS c_l_data_x_size_up(0_0)_ -1.664824000000003
     RHS c_l_data_x_size_up(0_1)_ -0.59237300000000104
     RHS c_l_data_x_size_up(1_0)_ 0.97453099999999826
     RHS c_l_data_x_size_up(1_1)_ -0.30933900000000053
     RHS c_l_data_x_size_up(2_0)_ 0.20302699999999965
     RHS c_l_data_x_size_up(2_1)_ -0.80350900000000147
     RHS c_l_data_x_size_up(3_0)_ 0.48726599999999909
     RHS c_l_data_x_size_up(3_1)_ 1.705220999999997
     RHS c_l_data_x_size_down(0_0)_ 1.6648239999999972
     RHS c_l_data_x_size_down(0_1)_ 0.59237299999999904
     RHS c_l_data_x_size_down(1_0)_ -0.97453100000000181
     RHS c_l_data_x_size_down(1_1)_ 0.30933899999999942
     RHS c_l_data_x_size_down(2_0)_ -0.20302700000000037
     RHS c_l_data_x_size_down(2_1)_ 0.80350899999999859
     RHS c_l_data_x_size_down(3_0)_ -0.48726600000000087
     RHS c_l_data_x_size_down(3_1)_ -1.7052210000000032
     RHS c_u_data_x_total(0)_ 0
     RHS c_u_data_x_total(1)_ 0
     RHS c_u_data_x_total(2)_ 0
     RHS c_u_data_x_total(3)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(0_0_0)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(0_0_1)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(1_0_0)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(1_0_1)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(2_0_0)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(2_0_1)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(3_0_0)_ 0
     RHS c_e_step(0)_gradient_dense1_weight_product(3_0_1)_ 0
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(0_0_0)_ -1.9644184838577106
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(0_0_1)_ -0.69897322364841175
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(1_0_0)_ -0.83334761220498921
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(1_0_1)_ 0.26452592729923363
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(2_0_0)_ 0.32287724701744214
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(2_0_1)_ -1.2778263406852994
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(3_0_0)_ 1.5973331549295426
     RHS c_u_step(0)_gradient_dense1_weight_stays_below(3_0_1)_ 5.5899751302719869
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(0_0_0)_ -1.9644244127006243
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(0_0_1)_ -0.69897662159826324
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(1_0_0)_ -0.83335127890388694
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(1_0_1)_ 0.26452339824990601
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(2_0_0)_ 0.3228746012655917
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(2_0_1)_ -1.2778308963425451
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(3_0_0)_ 1.5973279602684176
     RHS c_l_step(0)_gradient_dense1_weight_stays_above(3_0_1)_ 5.589961950334871
     RHS c_e_step(0)_update_dense1_weight(0_0)_ 0.193693
     RHS c_e_step(0)_update_dense1_weight(0_1)_ -0.325571
     RHS c_l_step(0)_update_dense1_weight_branch_above(0_0)_ 0.21563089467021554
     RHS c_l_step(0)_update_dense1_weight_branch_above(0_1)_ -0.4225146640617633
     RHS c_u_step(0)_update_dense1_weight_branch_below(0_0)_ 0.21563332593443987
     RHS c_u_step(0)_update_dense1_weight_branch_below(0_1)_ -0.42251181903527368
     RHS c_e_step(0)_update_dense1_bias(0)_ -0.51932880000000003
     RHS c_l_step(0)_update_dense1_bias_branch_above(0)_ -0.5193303193288048
     RHS c_u_step(0)_update_dense1_bias_branch_below(0)_ -0.51932728067119516
     RHS c_e_step(1)_forward_dense1_product_product(0_0)_ 0
     RHS c_e_step(1)_forward_dense1_product_product(1_0)_ 0
     RHS c_e_step(1)_forward_dense1_product_product(2_0)_ 0
     RHS c_e_step(1)_forward_dense1_product_product(3_0)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(0_0_0)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(0_0_1)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(1_0_0)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(1_0_1)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(2_0_0)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(2_0_1)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(3_0_0)_ 0
     RHS c_e_step(1)_gradient_dense1_weight_product(3_0_1)_ 0
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(0_0_0)_ -1.4528390995878797
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(0_0_1)_ -0.5169444839149191
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(1_0_0)_ -0.93340129951368167
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(1_0_1)_ 0.33039021974305666
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(2_0_0)_ 0.31371808312460447
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(2_0_1)_ -1.1627165326730216
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(3_0_0)_ 1.3669092212669685
     RHS c_u_step(1)_gradient_dense1_weight_stays_below(3_0_1)_ 4.7835906696610921
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(0_0_0)_ -1.7603879311368313
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(0_0_1)_ -0.62637693376736425
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(1_0_0)_ -1.040847891938685
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(1_0_1)_ 0.29628278566640026
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(2_0_0)_ 0.29378917846222702
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(2_0_1)_ -1.2415821677479733
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(3_0_0)_ 1.2705582830417301
     RHS c_l_step(1)_gradient_dense1_weight_stays_above(3_0_1)_ 4.446408909962325
     RHS c_e_step(1)_update_dense1_weight(0_0)_ 0
     RHS c_e_step(1)_update_dense1_weight(0_1)_ 0
     RHS c_l_step(1)_update_dense1_weight_branch_above(0_0)_ 0.23973787327634019
     RHS c_l_step(1)_update_dense1_weight_branch_above(0_1)_ -0.50155215853589163
     RHS c_u_step(1)_update_dense1_weight_branch_below(0_0)_ 0.23974035275457542
     RHS c_u_step(1)_update_dense1_weight_branch_below(0_1)_ -0.50154915543456269
     RHS c_e_step(1)_update_dense1_bias(0)_ -1.1102230246251566e-17
     RHS c_l_step(1)_update_dense1_bias_branch_above(0)_ -0.41546445546304933
     RHS c_u_step(1)_update_dense1_bias_branch_below(0)_ -0.41546162453695068
BOUNDS
 BV BOUND data_selector(0)
 BV BOUND data_selector(1)
 BV BOUND data_selector(2)
 BV BOUND data_selector(3)
 LO BOUND data_x(0_0) 1.4648239999999983
 UP BOUND data_x(0_0) 1.8648240000000018
 LO BOUND data_x(0_1) 0.39237299999999931
 UP BOUND data_x(0_1) 0.79237300000000066
 LO BOUND data_x(1_0) -1.1745310000000011
 UP BOUND data_x(1_0) -0.77453099999999897
 LO BOUND data_x(1_1) 0.10933899999999952
 UP BOUND data_x(1_1) 0.50933900000000043
 LO BOUND data_x(2_0) -0.40302700000000036
 UP BOUND data_x(2_0) -0.0030269999999996411
 LO BOUND data_x(2_1) 0.60350899999999918
 UP BOUND data_x(2_1) 1.0035090000000009
 LO BOUND data_x(3_0) -0.6872660000000006
 UP BOUND data_x(3_0) -0.28726599999999936
 LO BOUND data_x(3_1) -1.9052210000000018
 UP BOUND data_x(3_1) -1.5052209999999984
 LO BOUND data_x_size(0_0) 0
 UP BOUND data_x_size(0_0) 0.2000000000000022
 LO BOUND data_x_size(0_1) 0
 UP BOUND data_x_size(0_1) 0.2000000000000022
 LO BOUND data_x_size(1_0) 0
 UP BOUND data_x_size(1_0) 0.20000000000000132
 LO BOUND data_x_size(1_1) 0
 UP BOUND data_x_size(1_1) 0.20000000000000132
 LO BOUND data_x_size(2_0) 0
 UP BOUND data_x_size(2_0) 0.20000000000000109
 LO BOUND data_x_size(2_1) 0
 UP BOUND data_x_size(2_1) 0.20000000000000109
 LO BOUND data_x_size(3_0) 0
 UP BOUND data_x_size(3_0) 0.20000000000000215
 LO BOUND data_x_size(3_1) 0
 UP BOUND data_x_size(3_1) 0.20000000000000215
 LO BOUND parameter(1)_dense1_weight(0_0) 0.19700382644199357
 UP BOUND parameter(1)_dense1_weight(0_0) 0.23295811016266033
 LO BOUND parameter(1)_dense1_weight(0_1) -0.44510683368190823
 UP BOUND parameter(1)_dense1_weight(0_1) -0.40122193341513024
 LO BOUND parameter(1)_dense1_bias(0) -0.52258451000000761
 UP BOUND parameter(1)_dense1_bias(0) -0.51607308999999235
 LO BOUND parameter(2)_dense1_weight(0_0) 0.1974354466662343
 UP BOUND parameter(2)_dense1_weight(0_0) 0.27824804124015373
 LO BOUND parameter(2)_dense1_weight(0_1) -0.55381362391089328
 UP BOUND parameter(2)_dense1_weight(0_1) -0.45308242792222858
 LO BOUND parameter(2)_dense1_bias(0) -0.43073528215337914
 UP BOUND parameter(2)_dense1_bias(0) -0.40019079784662087
 LO BOUND step(0)_gradient_dense1_weight(0_0_0) -2.4432659800614425
 UP BOUND step(0)_gradient_dense1_weight(0_0_0) -1.5376682764969494
 LO BOUND step(0)_gradient_dense1_weight(0_0_1) -1.0381558765970544
 UP BOUND step(0)_gradient_dense1_weight(0_0_1) -0.41188532864967908
 LO BOUND step(0)_gradient_dense1_weight(1_0_0) -1.1573324822142108
 UP BOUND step(0)_gradient_dense1_weight(1_0_0) -0.56145776889472321
 LO BOUND step(0)_gradient_dense1_weight(1_0_1) 0.079259875967753537
 UP BOUND step(0)_gradient_dense1_weight(1_0_1) 0.50188080958144476
 LO BOUND step(0)_gradient_dense1_weight(2_0_0) 0.0044196678347164561
 UP BOUND step(0)_gradient_dense1_weight(2_0_0) 0.69342354044837706
 LO BOUND step(0)_gradient_dense1_weight(2_0_1) -1.7265760449096721
 UP BOUND step(0)_gradient_dense1_weight(2_0_1) -0.88117255211823342
 LO BOUND step(0)_gradient_dense1_weight(3_0_0) 0.90429056318573542
 UP BOUND step(0)_gradient_dense1_weight(3_0_0) 2.3424619120122858
 LO BOUND step(0)_gradient_dense1_weight(3_0_1) 4.7383162149679956
 UP BOUND step(0)_gradient_dense1_weight(3_0_1) 6.4937122256389213
 LO BOUND step(1)_forward_dense1_product(0_0) -0.064114704060969085
 UP BOUND step(1)_forward_dense1_product(0_0) 0.27699722114607922
 LO BOUND step(1)_forward_dense1_product(1_0) -0.50032679164816996
 UP BOUND step(1)_forward_dense1_product(1_0) -0.19645477567561995
 LO BOUND step(1)_forward_dense1_product(2_0) -0.54055712182582538
 UP BOUND step(1)_forward_dense1_product(2_0) -0.24273737839607096
 LO BOUND step(1)_forward_dense1_product(3_0) 0.44382349129800336
 UP BOUND step(1)_forward_dense1_product(3_0) 0.79143438556759471
 LO BOUND step(1)_gradient_dense1_weight(0_0_0) -2.3172932482091144
 UP BOUND step(1)_gradient_dense1_weight(0_0_0) -1.0069729928454993
 LO BOUND step(1)_gradient_dense1_weight(0_0_1) -0.98462943578761342
 UP BOUND step(1)_gradient_dense1_weight(0_0_1) -0.26973139033888516
 LO BOUND step(1)_gradient_dense1_weight(1_0_0) -1.472018037985275
 UP BOUND step(1)_gradient_dense1_weight(1_0_0) -0.59837460020419464
 LO BOUND step(1)_gradient_dense1_weight(1_0_1) 0.084471351581442727
 UP BOUND step(1)_gradient_dense1_weight(1_0_1) 0.63834517390292977
 LO BOUND step(1)_gradient_dense1_weight(2_0_0) 0.0038195220281176676
 UP BOUND step(1)_gradient_dense1_weight(2_0_0) 0.69741036479502305
 LO BOUND step(1)_gradient_dense1_weight(2_0_1) -1.7365029582759686
 UP BOUND step(1)_gradient_dense1_weight(2_0_1) -0.76151830844640367
 LO BOUND step(1)_gradient_dense1_weight(3_0_0) 0.69584330649211246
 UP BOUND step(1)_gradient_dense1_weight(3_0_0) 2.0552632069688279
 LO BOUND step(1)_gradient_dense1_weight(3_0_1) 3.6460909318936605
 UP BOUND step(1)_gradient_dense1_weight(3_0_1) 5.697547416057767
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(0_0_0)_
     data_x(0_0) data_x(0_0) -0.38738600000000001
     data_x(0_0) data_x(0_1) 0.325571
     data_x(0_1) data_x(0_0) 0.325571
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(0_0_1)_
     data_x(0_0) data_x(0_1) -0.193693
     data_x(0_1) data_x(0_0) -0.193693
     data_x(0_1) data_x(0_1) 0.651142
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(1_0_0)_
     data_x(1_0) data_x(1_0) -0.38738600000000001
     data_x(1_0) data_x(1_1) 0.325571
     data_x(1_1) data_x(1_0) 0.325571
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(1_0_1)_
     data_x(1_0) data_x(1_1) -0.193693
     data_x(1_1) data_x(1_0) -0.193693
     data_x(1_1) data_x(1_1) 0.651142
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(2_0_0)_
     data_x(2_0) data_x(2_0) -0.38738600000000001
     data_x(2_0) data_x(2_1) 0.325571
     data_x(2_1) data_x(2_0) 0.325571
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(2_0_1)_
     data_x(2_0) data_x(2_1) -0.193693
     data_x(2_1) data_x(2_0) -0.193693
     data_x(2_1) data_x(2_1) 0.651142
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(3_0_0)_
     data_x(3_0) data_x(3_0) -0.38738600000000001
     data_x(3_0) data_x(3_1) 0.325571
     data_x(3_1) data_x(3_0) 0.325571
QCMATRIX    c_e_step(0)_gradient_dense1_weight_product(3_0_1)_
     data_x(3_0) data_x(3_1) -0.193693
     data_x(3_1) data_x(3_0) -0.193693
     data_x(3_1) data_x(3_1) 0.651142
QCMATRIX    c_e_step(1)_forward_dense1_product_product(0_0)_
     data_x(0_0) parameter(1)_dense1_weight(0_0) -0.5
     parameter(1)_dense1_weight(0_0) data_x(0_0) -0.5
     data_x(0_1) parameter(1)_dense1_weight(0_1) -0.5
     parameter(1)_dense1_weight(0_1) data_x(0_1) -0.5
QCMATRIX    c_e_step(1)_forward_dense1_product_product(1_0)_
     data_x(1_0) parameter(1)_dense1_weight(0_0) -0.5
     parameter(1)_dense1_weight(0_0) data_x(1_0) -0.5
     data_x(1_1) parameter(1)_dense1_weight(0_1) -0.5
     parameter(1)_dense1_weight(0_1) data_x(1_1) -0.5
QCMATRIX    c_e_step(1)_forward_dense1_product_product(2_0)_
     data_x(2_0) parameter(1)_dense1_weight(0_0) -0.5
     parameter(1)_dense1_weight(0_0) data_x(2_0) -0.5
     data_x(2_1) parameter(1)_dense1_weight(0_1) -0.5
     parameter(1)_dense1_weight(0_1) data_x(2_1) -0.5
QCMATRIX    c_e_step(1)_forward_dense1_product_product(3_0)_
     data_x(3_0) parameter(1)_dense1_weight(0_0) -0.5
     parameter(1)_dense1_weight(0_0) data_x(3_0) -0.5
     data_x(3_1) parameter(1)_dense1_weight(0_1) -0.5
     parameter(1)_dense1_weight(0_1) data_x(3_1) -0.5
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(0_0_0)_
     data_x(0_0) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(0_0) -1
     data_x(0_0) step(1)_forward_dense1_product(0_0) -1
     step(1)_forward_dense1_product(0_0) data_x(0_0) -1
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(0_0_1)_
     data_x(0_1) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(0_1) -1
     data_x(0_1) step(1)_forward_dense1_product(0_0) -1
     step(1)_forward_dense1_product(0_0) data_x(0_1) -1
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(1_0_0)_
     data_x(1_0) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(1_0) -1
     data_x(1_0) step(1)_forward_dense1_product(1_0) -1
     step(1)_forward_dense1_product(1_0) data_x(1_0) -1
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(1_0_1)_
     data_x(1_1) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(1_1) -1
     data_x(1_1) step(1)_forward_dense1_product(1_0) -1
     step(1)_forward_dense1_product(1_0) data_x(1_1) -1
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(2_0_0)_
     data_x(2_0) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(2_0) -1
     data_x(2_0) step(1)_forward_dense1_product(2_0) -1
     step(1)_forward_dense1_product(2_0) data_x(2_0) -1
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(2_0_1)_
     data_x(2_1) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(2_1) -1
     data_x(2_1) step(1)_forward_dense1_product(2_0) -1
     step(1)_forward_dense1_product(2_0) data_x(2_1) -1
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(3_0_0)_
     data_x(3_0) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(3_0) -1
     data_x(3_0) step(1)_forward_dense1_product(3_0) -1
     step(1)_forward_dense1_product(3_0) data_x(3_0) -1
QCMATRIX    c_e_step(1)_gradient_dense1_weight_product(3_0_1)_
     data_x(3_1) parameter(1)_dense1_bias(0) -1
     parameter(1)_dense1_bias(0) data_x(3_1) -1
     data_x(3_1) step(1)_forward_dense1_product(3_0) -1
     step(1)_forward_dense1_product(3_0) data_x(3_1) -1
ENDATA
