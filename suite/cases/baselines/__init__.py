"""The cases of the baselines, one module per optimizer, named as its rule is."""
