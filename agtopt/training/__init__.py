"""Plain SGD in torch: what every bound is compared with."""
