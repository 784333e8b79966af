"""The rule on JAX arrays: what Optax and Keras on JAX have in common. It imports neither of them."""
