"""Intervals propagated through training: IBP, CROWN, and the adversary that spends its budget in
every batch."""
