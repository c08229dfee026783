* Source:     Pyomo MPS Writer
* Format:     Free MPS
*
NAME labels-squared_MILP_0_6
ROWS
 N  objective
 L  c_u_data_budget(0)_
 L  c_u_data_y_below(0_0)_
 L  c_u_data_y_below(1_0)_
 L  c_u_data_y_below(2_0)_
 L  c_u_data_y_below(3_0)_
 L  c_u_data_y_below(4_0)_
 L  c_u_data_y_below(5_0)_
 L  c_u_data_y_below(6_0)_
 L  c_u_data_y_below(7_0)_
 G  c_l_data_y_above(0_0)_
 G  c_l_data_y_above(1_0)_
 G  c_l_data_y_above(2_0)_
 G  c_l_data_y_above(3_0)_
 G  c_l_data_y_above(4_0)_
 G  c_l_data_y_above(5_0)_
 G  c_l_data_y_above(6_0)_
 G  c_l_data_y_above(7_0)_
 E  c_e_step(0)_update_dense1_weight(0_0)_
 E  c_e_step(0)_update_dense1_weight(0_1)_
 E  c_e_step(0)_update_dense1_weight(0_2)_
 E  c_e_step(0)_update_dense1_bias(0)_
 E  c_e_step(1)_update_dense1_weight(0_0)_
 E  c_e_step(1)_update_dense1_weight(0_1)_
 E  c_e_step(1)_update_dense1_weight(0_2)_
 E  c_e_step(1)_update_dense1_bias(0)_
 E  c_e_step(2)_update_dense1_weight(0_0)_
 E  c_e_step(2)_update_dense1_weight(0_1)_
 E  c_e_step(2)_update_dense1_weight(0_2)_
 E  c_e_step(2)_update_dense1_bias(0)_
 E  c_e_step(3)_update_dense1_weight(0_0)_
 E  c_e_step(3)_update_dense1_weight(0_1)_
 E  c_e_step(3)_update_dense1_weight(0_2)_
 E  c_e_step(3)_update_dense1_bias(0)_
 E  c_e_step(4)_update_dense1_weight(0_0)_
 E  c_e_step(4)_update_dense1_weight(0_1)_
 E  c_e_step(4)_update_dense1_weight(0_2)_
 E  c_e_step(4)_update_dense1_bias(0)_
 E  c_e_step(5)_update_dense1_weight(0_0)_
 E  c_e_step(5)_update_dense1_weight(0_1)_
 E  c_e_step(5)_update_dense1_weight(0_2)_
 E  c_e_step(5)_update_dense1_bias(0)_
COLUMNS
     data_selector(0) c_u_data_budget(0)_ 1
     data_selector(0) c_u_data_y_below(0_0)_ -0.50000000000000067
     data_selector(0) c_l_data_y_above(0_0)_ 0.50000000000000056
     data_selector(1) c_u_data_budget(0)_ 1
     data_selector(1) c_u_data_y_below(1_0)_ -0.50000000000000133
     data_selector(1) c_l_data_y_above(1_0)_ 0.50000000000000122
     data_selector(2) c_u_data_budget(0)_ 1
     data_selector(2) c_u_data_y_below(2_0)_ -0.50000000000000078
     data_selector(2) c_l_data_y_above(2_0)_ 0.50000000000000078
     data_selector(3) c_u_data_budget(0)_ 1
     data_selector(3) c_u_data_y_below(3_0)_ -0.50000000000000089
     data_selector(3) c_l_data_y_above(3_0)_ 0.50000000000000089
     data_selector(4) c_u_data_budget(0)_ 1
     data_selector(4) c_u_data_y_below(4_0)_ -0.50000000000000189
     data_selector(4) c_l_data_y_above(4_0)_ 0.50000000000000211
     data_selector(5) c_u_data_budget(0)_ 1
     data_selector(5) c_u_data_y_below(5_0)_ -0.50000000000000056
     data_selector(5) c_l_data_y_above(5_0)_ 0.50000000000000056
     data_selector(6) c_u_data_budget(0)_ 1
     data_selector(6) c_u_data_y_below(6_0)_ -0.50000000000000178
     data_selector(6) c_l_data_y_above(6_0)_ 0.50000000000000178
     data_selector(7) c_u_data_budget(0)_ 1
     data_selector(7) c_u_data_y_below(7_0)_ -0.50000000000000167
     data_selector(7) c_l_data_y_above(7_0)_ 0.50000000000000167
     data_y(0_0) c_u_data_y_below(0_0)_ 1
     data_y(0_0) c_l_data_y_above(0_0)_ 1
     data_y(0_0) c_e_step(0)_update_dense1_weight(0_0)_ -0.061155050000000002
     data_y(0_0) c_e_step(0)_update_dense1_weight(0_1)_ -0.0084784000000000005
     data_y(0_0) c_e_step(0)_update_dense1_weight(0_2)_ -0.034705150000000004
     data_y(0_0) c_e_step(0)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(0_0) c_e_step(2)_update_dense1_weight(0_0)_ -0.030577525000000001
     data_y(0_0) c_e_step(2)_update_dense1_weight(0_1)_ -0.0042392000000000003
     data_y(0_0) c_e_step(2)_update_dense1_weight(0_2)_ -0.017352575000000002
     data_y(0_0) c_e_step(2)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(0_0) c_e_step(4)_update_dense1_weight(0_0)_ -0.024462020000000001
     data_y(0_0) c_e_step(4)_update_dense1_weight(0_1)_ -0.0033913599999999999
     data_y(0_0) c_e_step(4)_update_dense1_weight(0_2)_ -0.013882060000000002
     data_y(0_0) c_e_step(4)_update_dense1_bias(0)_ -0.02
     data_y(1_0) c_u_data_y_below(1_0)_ 1
     data_y(1_0) c_l_data_y_above(1_0)_ 1
     data_y(1_0) c_e_step(0)_update_dense1_weight(0_0)_ 0.014923000000000001
     data_y(1_0) c_e_step(0)_update_dense1_weight(0_1)_ -0.0084784000000000005
     data_y(1_0) c_e_step(0)_update_dense1_weight(0_2)_ -0.021561700000000003
     data_y(1_0) c_e_step(0)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(1_0) c_e_step(2)_update_dense1_weight(0_0)_ 0.0074615000000000003
     data_y(1_0) c_e_step(2)_update_dense1_weight(0_1)_ -0.0042392000000000003
     data_y(1_0) c_e_step(2)_update_dense1_weight(0_2)_ -0.010780850000000002
     data_y(1_0) c_e_step(2)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(1_0) c_e_step(4)_update_dense1_weight(0_0)_ 0.0059692
     data_y(1_0) c_e_step(4)_update_dense1_weight(0_1)_ -0.0033913599999999999
     data_y(1_0) c_e_step(4)_update_dense1_weight(0_2)_ -0.0086246800000000009
     data_y(1_0) c_e_step(4)_update_dense1_bias(0)_ -0.02
     data_y(2_0) c_u_data_y_below(2_0)_ 1
     data_y(2_0) c_l_data_y_above(2_0)_ 1
     data_y(2_0) c_e_step(0)_update_dense1_weight(0_0)_ -0.0073152
     data_y(2_0) c_e_step(0)_update_dense1_weight(0_1)_ -0.034449350000000004
     data_y(2_0) c_e_step(0)_update_dense1_weight(0_2)_ -0.044509800000000002
     data_y(2_0) c_e_step(0)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(2_0) c_e_step(2)_update_dense1_weight(0_0)_ -0.0036576
     data_y(2_0) c_e_step(2)_update_dense1_weight(0_1)_ -0.017224675000000002
     data_y(2_0) c_e_step(2)_update_dense1_weight(0_2)_ -0.022254900000000001
     data_y(2_0) c_e_step(2)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(2_0) c_e_step(4)_update_dense1_weight(0_0)_ -0.0029260799999999997
     data_y(2_0) c_e_step(4)_update_dense1_weight(0_1)_ -0.01377974
     data_y(2_0) c_e_step(4)_update_dense1_weight(0_2)_ -0.017803920000000001
     data_y(2_0) c_e_step(4)_update_dense1_bias(0)_ -0.02
     data_y(3_0) c_u_data_y_below(3_0)_ 1
     data_y(3_0) c_l_data_y_above(3_0)_ 1
     data_y(3_0) c_e_step(0)_update_dense1_weight(0_0)_ 0.00087779999999999998
     data_y(3_0) c_e_step(0)_update_dense1_weight(0_1)_ 0.0045070500000000003
     data_y(3_0) c_e_step(0)_update_dense1_weight(0_2)_ 0.071989700000000004
     data_y(3_0) c_e_step(0)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(3_0) c_e_step(2)_update_dense1_weight(0_0)_ 0.00043889999999999999
     data_y(3_0) c_e_step(2)_update_dense1_weight(0_1)_ 0.0022535250000000001
     data_y(3_0) c_e_step(2)_update_dense1_weight(0_2)_ 0.035994850000000002
     data_y(3_0) c_e_step(2)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(3_0) c_e_step(4)_update_dense1_weight(0_0)_ 0.00035111999999999996
     data_y(3_0) c_e_step(4)_update_dense1_weight(0_1)_ 0.0018028200000000001
     data_y(3_0) c_e_step(4)_update_dense1_weight(0_2)_ 0.028795879999999999
     data_y(3_0) c_e_step(4)_update_dense1_bias(0)_ -0.02
     data_y(4_0) c_u_data_y_below(4_0)_ 1
     data_y(4_0) c_l_data_y_above(4_0)_ 1
     data_y(4_0) c_e_step(1)_update_dense1_weight(0_0)_ 0.073444600000000013
     data_y(4_0) c_e_step(1)_update_dense1_weight(0_1)_ 0.11271920000000001
     data_y(4_0) c_e_step(1)_update_dense1_weight(0_2)_ 0.064856049999999998
     data_y(4_0) c_e_step(1)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(4_0) c_e_step(3)_update_dense1_weight(0_0)_ 0.036722300000000006
     data_y(4_0) c_e_step(3)_update_dense1_weight(0_1)_ 0.056359600000000003
     data_y(4_0) c_e_step(3)_update_dense1_weight(0_2)_ 0.032428024999999999
     data_y(4_0) c_e_step(3)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(4_0) c_e_step(5)_update_dense1_weight(0_0)_ 0.029377840000000002
     data_y(4_0) c_e_step(5)_update_dense1_weight(0_1)_ 0.045087679999999998
     data_y(4_0) c_e_step(5)_update_dense1_weight(0_2)_ 0.025942420000000001
     data_y(4_0) c_e_step(5)_update_dense1_bias(0)_ -0.02
     data_y(5_0) c_u_data_y_below(5_0)_ 1
     data_y(5_0) c_l_data_y_above(5_0)_ 1
     data_y(5_0) c_e_step(1)_update_dense1_weight(0_0)_ 0.06876285
     data_y(5_0) c_e_step(1)_update_dense1_weight(0_1)_ 0.029049550000000004
     data_y(5_0) c_e_step(1)_update_dense1_weight(0_2)_ 0.051468300000000002
     data_y(5_0) c_e_step(1)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(5_0) c_e_step(3)_update_dense1_weight(0_0)_ 0.034381425
     data_y(5_0) c_e_step(3)_update_dense1_weight(0_1)_ 0.014524775000000002
     data_y(5_0) c_e_step(3)_update_dense1_weight(0_2)_ 0.025734150000000001
     data_y(5_0) c_e_step(3)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(5_0) c_e_step(5)_update_dense1_weight(0_0)_ 0.027505140000000001
     data_y(5_0) c_e_step(5)_update_dense1_weight(0_1)_ 0.011619820000000001
     data_y(5_0) c_e_step(5)_update_dense1_weight(0_2)_ 0.020587319999999999
     data_y(5_0) c_e_step(5)_update_dense1_bias(0)_ -0.02
     data_y(6_0) c_u_data_y_below(6_0)_ 1
     data_y(6_0) c_l_data_y_above(6_0)_ 1
     data_y(6_0) c_e_step(1)_update_dense1_weight(0_0)_ -0.075200199999999995
     data_y(6_0) c_e_step(1)_update_dense1_weight(0_1)_ -0.064748750000000008
     data_y(6_0) c_e_step(1)_update_dense1_weight(0_2)_ -0.059265650000000003
     data_y(6_0) c_e_step(1)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(6_0) c_e_step(3)_update_dense1_weight(0_0)_ -0.037600099999999997
     data_y(6_0) c_e_step(3)_update_dense1_weight(0_1)_ -0.032374375000000004
     data_y(6_0) c_e_step(3)_update_dense1_weight(0_2)_ -0.029632825000000002
     data_y(6_0) c_e_step(3)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(6_0) c_e_step(5)_update_dense1_weight(0_0)_ -0.030080079999999999
     data_y(6_0) c_e_step(5)_update_dense1_weight(0_1)_ -0.025899499999999999
     data_y(6_0) c_e_step(5)_update_dense1_weight(0_2)_ -0.023706260000000003
     data_y(6_0) c_e_step(5)_update_dense1_bias(0)_ -0.02
     data_y(7_0) c_u_data_y_below(7_0)_ 1
     data_y(7_0) c_l_data_y_above(7_0)_ 1
     data_y(7_0) c_e_step(1)_update_dense1_weight(0_0)_ -0.014337800000000001
     data_y(7_0) c_e_step(1)_update_dense1_weight(0_1)_ -0.030120850000000001
     data_y(7_0) c_e_step(1)_update_dense1_weight(0_2)_ -0.028271850000000001
     data_y(7_0) c_e_step(1)_update_dense1_bias(0)_ -0.050000000000000003
     data_y(7_0) c_e_step(3)_update_dense1_weight(0_0)_ -0.0071689000000000006
     data_y(7_0) c_e_step(3)_update_dense1_weight(0_1)_ -0.015060425000000001
     data_y(7_0) c_e_step(3)_update_dense1_weight(0_2)_ -0.014135925000000001
     data_y(7_0) c_e_step(3)_update_dense1_bias(0)_ -0.025000000000000001
     data_y(7_0) c_e_step(5)_update_dense1_weight(0_0)_ -0.0057351200000000007
     data_y(7_0) c_e_step(5)_update_dense1_weight(0_1)_ -0.012048339999999999
     data_y(7_0) c_e_step(5)_update_dense1_weight(0_2)_ -0.011308739999999999
     data_y(7_0) c_e_step(5)_update_dense1_bias(0)_ -0.02
     parameter(1)_dense1_weight(0_0) c_e_step(0)_update_dense1_weight(0_0)_ 1
     parameter(1)_dense1_weight(0_0) c_e_step(1)_update_dense1_weight(0_0)_ -0.68033837203674996
     parameter(1)_dense1_weight(0_0) c_e_step(1)_update_dense1_weight(0_1)_ 0.31154264156835004
     parameter(1)_dense1_weight(0_0) c_e_step(1)_update_dense1_weight(0_2)_ 0.26329157013090004
     parameter(1)_dense1_weight(0_0) c_e_step(1)_update_dense1_bias(0)_ -0.05266945000000002
     parameter(1)_dense1_weight(0_1) c_e_step(0)_update_dense1_weight(0_1)_ 1
     parameter(1)_dense1_weight(0_1) c_e_step(1)_update_dense1_weight(0_0)_ 0.31154264156835004
     parameter(1)_dense1_weight(0_1) c_e_step(1)_update_dense1_weight(0_1)_ -0.62701678729745003
     parameter(1)_dense1_weight(0_1) c_e_step(1)_update_dense1_weight(0_2)_ 0.26989203867869999
     parameter(1)_dense1_weight(0_1) c_e_step(1)_update_dense1_bias(0)_ -0.046899149999999987
     parameter(1)_dense1_weight(0_2) c_e_step(0)_update_dense1_weight(0_2)_ 1
     parameter(1)_dense1_weight(0_2) c_e_step(1)_update_dense1_weight(0_0)_ 0.26329157013090004
     parameter(1)_dense1_weight(0_2) c_e_step(1)_update_dense1_weight(0_1)_ 0.26989203867869999
     parameter(1)_dense1_weight(0_2) c_e_step(1)_update_dense1_weight(0_2)_ -0.77665984202324989
     parameter(1)_dense1_weight(0_2) c_e_step(1)_update_dense1_bias(0)_ -0.028786849999999989
     parameter(1)_dense1_bias(0) c_e_step(0)_update_dense1_bias(0)_ 1
     parameter(1)_dense1_bias(0) c_e_step(1)_update_dense1_weight(0_0)_ -0.05266945000000002
     parameter(1)_dense1_bias(0) c_e_step(1)_update_dense1_weight(0_1)_ -0.046899149999999987
     parameter(1)_dense1_bias(0) c_e_step(1)_update_dense1_weight(0_2)_ -0.028786849999999989
     parameter(1)_dense1_bias(0) c_e_step(1)_update_dense1_bias(0)_ -0.79999999999999982
     parameter(2)_dense1_weight(0_0) c_e_step(1)_update_dense1_weight(0_0)_ 1
     parameter(2)_dense1_weight(0_0) c_e_step(2)_update_dense1_weight(0_0)_ -0.95983081246617497
     parameter(2)_dense1_weight(0_0) c_e_step(2)_update_dense1_weight(0_1)_ 0.0064793398632999998
     parameter(2)_dense1_weight(0_0) c_e_step(2)_update_dense1_weight(0_2)_ 0.021894205820275001
     parameter(2)_dense1_weight(0_0) c_e_step(2)_update_dense1_bias(0)_ 0.026334725000000003
     parameter(2)_dense1_weight(0_1) c_e_step(1)_update_dense1_weight(0_1)_ 1
     parameter(2)_dense1_weight(0_1) c_e_step(2)_update_dense1_weight(0_0)_ 0.0064793398632999998
     parameter(2)_dense1_weight(0_1) c_e_step(2)_update_dense1_weight(0_1)_ -0.98649162251754996
     parameter(2)_dense1_weight(0_1) c_e_step(2)_update_dense1_weight(0_2)_ 0.023348477170550001
     parameter(2)_dense1_weight(0_1) c_e_step(2)_update_dense1_bias(0)_ 0.023449550000000003
     parameter(2)_dense1_weight(0_2) c_e_step(1)_update_dense1_weight(0_2)_ 1
     parameter(2)_dense1_weight(0_2) c_e_step(2)_update_dense1_weight(0_0)_ 0.021894205820275001
     parameter(2)_dense1_weight(0_2) c_e_step(2)_update_dense1_weight(0_1)_ 0.023348477170550001
     parameter(2)_dense1_weight(0_2) c_e_step(2)_update_dense1_weight(0_2)_ -0.911670064544575
     parameter(2)_dense1_weight(0_2) c_e_step(2)_update_dense1_bias(0)_ 0.014393475000000003
     parameter(2)_dense1_bias(0) c_e_step(1)_update_dense1_bias(0)_ 1
     parameter(2)_dense1_bias(0) c_e_step(2)_update_dense1_weight(0_0)_ 0.026334725000000003
     parameter(2)_dense1_bias(0) c_e_step(2)_update_dense1_weight(0_1)_ 0.023449550000000003
     parameter(2)_dense1_bias(0) c_e_step(2)_update_dense1_weight(0_2)_ 0.014393475000000003
     parameter(2)_dense1_bias(0) c_e_step(2)_update_dense1_bias(0)_ -0.89999999999999991
     parameter(3)_dense1_weight(0_0) c_e_step(2)_update_dense1_weight(0_0)_ 1
     parameter(3)_dense1_weight(0_0) c_e_step(3)_update_dense1_weight(0_0)_ -0.84016918601837498
     parameter(3)_dense1_weight(0_0) c_e_step(3)_update_dense1_weight(0_1)_ 0.15577132078417502
     parameter(3)_dense1_weight(0_0) c_e_step(3)_update_dense1_weight(0_2)_ 0.13164578506545002
     parameter(3)_dense1_weight(0_0) c_e_step(3)_update_dense1_bias(0)_ -0.02633472500000001
     parameter(3)_dense1_weight(0_1) c_e_step(2)_update_dense1_weight(0_1)_ 1
     parameter(3)_dense1_weight(0_1) c_e_step(3)_update_dense1_weight(0_0)_ 0.15577132078417502
     parameter(3)_dense1_weight(0_1) c_e_step(3)_update_dense1_weight(0_1)_ -0.81350839364872507
     parameter(3)_dense1_weight(0_1) c_e_step(3)_update_dense1_weight(0_2)_ 0.13494601933934999
     parameter(3)_dense1_weight(0_1) c_e_step(3)_update_dense1_bias(0)_ -0.023449574999999993
     parameter(3)_dense1_weight(0_2) c_e_step(2)_update_dense1_weight(0_2)_ 1
     parameter(3)_dense1_weight(0_2) c_e_step(3)_update_dense1_weight(0_0)_ 0.13164578506545002
     parameter(3)_dense1_weight(0_2) c_e_step(3)_update_dense1_weight(0_1)_ 0.13494601933934999
     parameter(3)_dense1_weight(0_2) c_e_step(3)_update_dense1_weight(0_2)_ -0.888329921011625
     parameter(3)_dense1_weight(0_2) c_e_step(3)_update_dense1_bias(0)_ -0.014393424999999994
     parameter(3)_dense1_bias(0) c_e_step(2)_update_dense1_bias(0)_ 1
     parameter(3)_dense1_bias(0) c_e_step(3)_update_dense1_weight(0_0)_ -0.02633472500000001
     parameter(3)_dense1_bias(0) c_e_step(3)_update_dense1_weight(0_1)_ -0.023449574999999993
     parameter(3)_dense1_bias(0) c_e_step(3)_update_dense1_weight(0_2)_ -0.014393424999999994
     parameter(3)_dense1_bias(0) c_e_step(3)_update_dense1_bias(0)_ -0.89999999999999991
     parameter(4)_dense1_weight(0_0) c_e_step(3)_update_dense1_weight(0_0)_ 1
     parameter(4)_dense1_weight(0_0) c_e_step(4)_update_dense1_weight(0_0)_ -0.96786464997293997
     parameter(4)_dense1_weight(0_0) c_e_step(4)_update_dense1_weight(0_1)_ 0.0051834718906399995
     parameter(4)_dense1_weight(0_0) c_e_step(4)_update_dense1_weight(0_2)_ 0.017515364656219997
     parameter(4)_dense1_weight(0_0) c_e_step(4)_update_dense1_bias(0)_ 0.021067780000000001
     parameter(4)_dense1_weight(0_1) c_e_step(3)_update_dense1_weight(0_1)_ 1
     parameter(4)_dense1_weight(0_1) c_e_step(4)_update_dense1_weight(0_0)_ 0.0051834718906399995
     parameter(4)_dense1_weight(0_1) c_e_step(4)_update_dense1_weight(0_1)_ -0.98919329801403999
     parameter(4)_dense1_weight(0_1) c_e_step(4)_update_dense1_weight(0_2)_ 0.018678781736440001
     parameter(4)_dense1_weight(0_1) c_e_step(4)_update_dense1_bias(0)_ 0.018759640000000001
     parameter(4)_dense1_weight(0_2) c_e_step(3)_update_dense1_weight(0_2)_ 1
     parameter(4)_dense1_weight(0_2) c_e_step(4)_update_dense1_weight(0_0)_ 0.017515364656219997
     parameter(4)_dense1_weight(0_2) c_e_step(4)_update_dense1_weight(0_1)_ 0.018678781736440001
     parameter(4)_dense1_weight(0_2) c_e_step(4)_update_dense1_weight(0_2)_ -0.92933605163566013
     parameter(4)_dense1_weight(0_2) c_e_step(4)_update_dense1_bias(0)_ 0.011514780000000006
     parameter(4)_dense1_bias(0) c_e_step(3)_update_dense1_bias(0)_ 1
     parameter(4)_dense1_bias(0) c_e_step(4)_update_dense1_weight(0_0)_ 0.021067780000000001
     parameter(4)_dense1_bias(0) c_e_step(4)_update_dense1_weight(0_1)_ 0.018759640000000001
     parameter(4)_dense1_bias(0) c_e_step(4)_update_dense1_weight(0_2)_ 0.011514780000000006
     parameter(4)_dense1_bias(0) c_e_step(4)_update_dense1_bias(0)_ -0.91999999999999993
     parameter(5)_dense1_weight(0_0) c_e_step(4)_update_dense1_weight(0_0)_ 1
     parameter(5)_dense1_weight(0_0) c_e_step(5)_update_dense1_weight(0_0)_ -0.87213534881470001
     parameter(5)_dense1_weight(0_0) c_e_step(5)_update_dense1_weight(0_1)_ 0.12461705662733999
     parameter(5)_dense1_weight(0_0) c_e_step(5)_update_dense1_weight(0_2)_ 0.10531662805236001
     parameter(5)_dense1_weight(0_0) c_e_step(5)_update_dense1_bias(0)_ -0.021067780000000001
     parameter(5)_dense1_weight(0_1) c_e_step(4)_update_dense1_weight(0_1)_ 1
     parameter(5)_dense1_weight(0_1) c_e_step(5)_update_dense1_weight(0_0)_ 0.12461705662733999
     parameter(5)_dense1_weight(0_1) c_e_step(5)_update_dense1_weight(0_1)_ -0.85080671491898008
     parameter(5)_dense1_weight(0_1) c_e_step(5)_update_dense1_weight(0_2)_ 0.10795681547147999
     parameter(5)_dense1_weight(0_1) c_e_step(5)_update_dense1_bias(0)_ -0.018759660000000004
     parameter(5)_dense1_weight(0_2) c_e_step(4)_update_dense1_weight(0_2)_ 1
     parameter(5)_dense1_weight(0_2) c_e_step(5)_update_dense1_weight(0_0)_ 0.10531662805236001
     parameter(5)_dense1_weight(0_2) c_e_step(5)_update_dense1_weight(0_1)_ 0.10795681547147999
     parameter(5)_dense1_weight(0_2) c_e_step(5)_update_dense1_weight(0_2)_ -0.91066393680929991
     parameter(5)_dense1_weight(0_2) c_e_step(5)_update_dense1_bias(0)_ -0.011514739999999997
     parameter(5)_dense1_bias(0) c_e_step(4)_update_dense1_bias(0)_ 1
     parameter(5)_dense1_bias(0) c_e_step(5)_update_dense1_weight(0_0)_ -0.021067780000000001
     parameter(5)_dense1_bias(0) c_e_step(5)_update_dense1_weight(0_1)_ -0.018759660000000004
     parameter(5)_dense1_bias(0) c_e_step(5)_update_dense1_weight(0_2)_ -0.011514739999999997
     parameter(5)_dense1_bias(0) c_e_step(5)_update_dense1_bias(0)_ -0.91999999999999993
     parameter(6)_dense1_weight(0_0) objective 1
     parameter(6)_dense1_weight(0_0) c_e_step(5)_update_dense1_weight(0_0)_ 1
     parameter(6)_dense1_weight(0_1) c_e_step(5)_update_dense1_weight(0_1)_ 1
     parameter(6)_dense1_weight(0_2) c_e_step(5)_update_dense1_weight(0_2)_ 1
     parameter(6)_dense1_bias(0) c_e_step(5)_update_dense1_bias(0)_ 1
RHS
     RHS c_u_data_budget(0)_ 2.0000000000000036
     RHS c_u_data_y_below(0_0)_ -0.23995999999999959
     RHS c_u_data_y_below(1_0)_ -0.95458599999999838
     RHS c_u_data_y_below(2_0)_ -0.35205799999999937
     RHS c_u_data_y_below(3_0)_ 0.44664100000000079
     RHS c_u_data_y_below(4_0)_ -1.613162999999997
     RHS c_u_data_y_below(5_0)_ -0.14187399999999975
     RHS c_u_data_y_below(6_0)_ 1.4975610000000026
     RHS c_u_data_y_below(7_0)_ 1.3574390000000025
     RHS c_l_data_y_above(0_0)_ -0.23996000000000042
     RHS c_l_data_y_above(1_0)_ -0.95458600000000171
     RHS c_l_data_y_above(2_0)_ -0.35205800000000059
     RHS c_l_data_y_above(3_0)_ 0.44664099999999923
     RHS c_l_data_y_above(4_0)_ -1.6131630000000028
     RHS c_l_data_y_above(5_0)_ -0.14187400000000025
     RHS c_l_data_y_above(6_0)_ 1.4975609999999973
     RHS c_l_data_y_above(7_0)_ 1.3574389999999976
     RHS c_e_step(0)_update_dense1_weight(0_0)_ 0
     RHS c_e_step(0)_update_dense1_weight(0_1)_ 0
     RHS c_e_step(0)_update_dense1_weight(0_2)_ 0
     RHS c_e_step(0)_update_dense1_bias(0)_ 0
     RHS c_e_step(1)_update_dense1_weight(0_0)_ 0
     RHS c_e_step(1)_update_dense1_weight(0_1)_ 0
     RHS c_e_step(1)_update_dense1_weight(0_2)_ 0
     RHS c_e_step(1)_update_dense1_bias(0)_ 0
     RHS c_e_step(2)_update_dense1_weight(0_0)_ 0
     RHS c_e_step(2)_update_dense1_weight(0_1)_ 0
     RHS c_e_step(2)_update_dense1_weight(0_2)_ 0
     RHS c_e_step(2)_update_dense1_bias(0)_ 0
     RHS c_e_step(3)_update_dense1_weight(0_0)_ 0
     RHS c_e_step(3)_update_dense1_weight(0_1)_ 0
     RHS c_e_step(3)_update_dense1_weight(0_2)_ 0
     RHS c_e_step(3)_update_dense1_bias(0)_ 0
     RHS c_e_step(4)_update_dense1_weight(0_0)_ 0
     RHS c_e_step(4)_update_dense1_weight(0_1)_ 0
     RHS c_e_step(4)_update_dense1_weight(0_2)_ 0
     RHS c_e_step(4)_update_dense1_bias(0)_ 0
     RHS c_e_step(5)_update_dense1_weight(0_0)_ 0
     RHS c_e_step(5)_update_dense1_weight(0_1)_ 0
     RHS c_e_step(5)_update_dense1_weight(0_2)_ 0
     RHS c_e_step(5)_update_dense1_bias(0)_ 0
BOUNDS
 BV BOUND data_selector(0)
 BV BOUND data_selector(1)
 BV BOUND data_selector(2)
 BV BOUND data_selector(3)
 BV BOUND data_selector(4)
 BV BOUND data_selector(5)
 BV BOUND data_selector(6)
 BV BOUND data_selector(7)
 LO BOUND data_y(0_0) -0.73996000000000062
 UP BOUND data_y(0_0) 0.26004000000000066
 LO BOUND data_y(1_0) -1.4545860000000013
 UP BOUND data_y(1_0) -0.45458599999999871
 LO BOUND data_y(2_0) -0.85205800000000076
 UP BOUND data_y(2_0) 0.1479420000000008
 LO BOUND data_y(3_0) -0.053359000000000878
 UP BOUND data_y(3_0) 0.94664100000000095
 LO BOUND data_y(4_0) -2.1131630000000019
 UP BOUND data_y(4_0) -1.1131629999999979
 LO BOUND data_y(5_0) -0.6418740000000005
 UP BOUND data_y(5_0) 0.35812600000000056
 LO BOUND data_y(6_0) 0.99756099999999814
 UP BOUND data_y(6_0) 1.9975610000000017
 LO BOUND data_y(7_0) 0.8574389999999984
 UP BOUND data_y(7_0) 1.8574390000000016
 LO BOUND parameter(1)_dense1_weight(0_0) -0.041435940071400328
 UP BOUND parameter(1)_dense1_weight(0_0) 0.034642109928600312
 LO BOUND parameter(1)_dense1_weight(0_1) -0.045732916387750268
 UP BOUND parameter(1)_dense1_weight(0_1) -0.0028051663877497624
 LO BOUND parameter(1)_dense1_weight(0_2) -0.13498367751630075
 UP BOUND parameter(1)_dense1_weight(0_2) -0.018484177516299313
 LO BOUND parameter(1)_dense1_bias(0) -0.10499815000000072
 UP BOUND parameter(1)_dense1_bias(0) -0.004998149999999325
 LO BOUND parameter(2)_dense1_weight(0_0) 0.19323341680740713
 UP BOUND parameter(2)_dense1_weight(0_0) 0.37250638445561035
 LO BOUND parameter(2)_dense1_weight(0_1) 0.23470803339169707
 UP BOUND parameter(2)_dense1_weight(0_1) 0.42085202308487057
 LO BOUND parameter(2)_dense1_weight(0_2) 0.097532614869202575
 UP BOUND parameter(2)_dense1_weight(0_2) 0.27311085729638374
 LO BOUND parameter(2)_dense1_bias(0) -0.073614946276971849
 UP BOUND parameter(2)_dense1_bias(0) 0.088562142979693101
 LO BOUND parameter(3)_dense1_weight(0_0) 0.14972638550211412
 UP BOUND parameter(3)_dense1_weight(0_0) 0.37713508211099406
 LO BOUND parameter(3)_dense1_weight(0_1) 0.1979685352839464
 UP BOUND parameter(3)_dense1_weight(0_1) 0.41179687677863153
 LO BOUND parameter(3)_dense1_weight(0_2) -0.01711113028254705
 UP BOUND parameter(3)_dense1_weight(0_2) 0.25037394787582967
 LO BOUND parameter(3)_dense1_bias(0) -0.16398305616419556
 UP BOUND parameter(3)_dense1_bias(0) 0.086831266244887628
 LO BOUND parameter(4)_dense1_weight(0_0) 0.10057321904032324
 UP BOUND parameter(4)_dense1_weight(0_0) 0.47466934636242175
 LO BOUND parameter(4)_dense1_weight(0_1) 0.16228768282125294
 UP BOUND parameter(4)_dense1_weight(0_1) 0.54221313866206888
 LO BOUND parameter(4)_dense1_weight(0_2) -0.030126886109837353
 UP BOUND parameter(4)_dense1_weight(0_2) 0.3236430191786106
 LO BOUND parameter(4)_dense1_bias(0) -0.16156903955593857
 UP BOUND parameter(4)_dense1_bias(0) 0.17866159329296311
 LO BOUND parameter(5)_dense1_weight(0_0) 0.057175533409785408
 UP BOUND parameter(5)_dense1_weight(0_0) 0.48771105020761851
 LO BOUND parameter(5)_dense1_weight(0_1) 0.12822007195100715
 UP BOUND parameter(5)_dense1_weight(0_1) 0.54046730255670694
 LO BOUND parameter(5)_dense1_weight(0_2) -0.13434862187721963
 UP BOUND parameter(5)_dense1_weight(0_2) 0.3223049157162724
 LO BOUND parameter(5)_dense1_bias(0) -0.25163258999413385
 UP BOUND parameter(5)_dense1_bias(0) 0.19464412580295085
 LO BOUND parameter(6)_dense1_weight(0_0) -0.029784946401290376
 UP BOUND parameter(6)_dense1_weight(0_0) 0.60892535513013701
 LO BOUND parameter(6)_dense1_weight(0_1) 0.051982154708013179
 UP BOUND parameter(6)_dense1_weight(0_1) 0.68672609371902671
 LO BOUND parameter(6)_dense1_weight(0_2) -0.18137595074623478
 UP BOUND parameter(6)_dense1_weight(0_2) 0.41355524157726742
 LO BOUND parameter(6)_dense1_bias(0) -0.28089955684534962
 UP BOUND parameter(6)_dense1_bias(0) 0.29865690732350192
ENDATA
