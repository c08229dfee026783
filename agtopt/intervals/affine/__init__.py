"""Deviations from the nominal run, affine in what the adversary does to each sample: AFFINE."""
