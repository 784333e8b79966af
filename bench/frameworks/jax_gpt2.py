"""GPT-2 in JAX."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from bench.tasks import GPT2Config


def logits(
    config: GPT2Config,
    parameters: Mapping[str, jax.Array],
    tokens: jax.Array,
    products: jax.typing.DTypeLike = jnp.float32,
) -> jax.Array:
    """GPT-2: token ids (batch, length) → logits (batch, length, vocabulary); the head is the token embedding.

    Args:
        config: Sizes.
        parameters: By name, in float32.
        tokens: Token ids.
        products: Type of the matrix products and of what lies between two of them. In bfloat16, embeddings, layer
            norms, softmax and the sums along the residual stream stay float32, as under PyTorch's autocast.
    """

    def weights(name: str) -> jax.Array:
        return parameters[name].astype(products)

    def project(x: jax.Array, name: str) -> jax.Array:
        return x.astype(products) @ weights(f"{name}.weight") + weights(f"{name}.bias")

    def normalise(x: jax.Array, name: str) -> jax.Array:
        x = jax.nn.standardize(x, axis=-1, epsilon=config.layer_norm_epsilon)
        return x * parameters[f"{name}.weight"] + parameters[f"{name}.bias"]

    def attend(x: jax.Array, name: str) -> jax.Array:
        by_head = (*x.shape[:2], config.heads, config.width // config.heads)
        query, key, value = (part.reshape(by_head) for part in jnp.split(project(x, f"{name}.c_attn"), 3, axis=-1))
        mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return project(mixed.reshape(x.shape), f"{name}.c_proj")

    def expand(x: jax.Array, name: str) -> jax.Array:
        return project(jax.nn.gelu(project(x, f"{name}.c_fc"), approximate=True), f"{name}.c_proj")

    x = parameters["wte.weight"][tokens] + parameters["wpe.weight"][: tokens.shape[1]]
    for layer in range(config.layers):
        block = f"h.{layer}"
        x = x + attend(normalise(x, f"{block}.ln_1"), f"{block}.attn")
        x = x + expand(normalise(x, f"{block}.ln_2"), f"{block}.mlp")
    return normalise(x, "ln_f").astype(products) @ weights("wte.weight").T


def mean_loss(
    config: GPT2Config,
    parameters: Mapping[str, jax.Array],
    tokens: jax.Array,
    products: jax.typing.DTypeLike = jnp.float32,
) -> jax.Array:
    """The mean loss of `tokens` (batch, length + 1), each the target of the one before: nats per token, float32."""
    predicted = logits(config, parameters, tokens[:, :-1], products).astype(jnp.float32)
    return optax.softmax_cross_entropy_with_integer_labels(predicted, tokens[:, 1:]).mean()
