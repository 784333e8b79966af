"""GPT-2 in Keras 3, for any backend."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from bench.tasks import GPT2Config

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""Policy of the layers that multiply matrices, by the task's precision. In bfloat16, embeddings, layer norms, softmax
and the sums along the residual stream stay float32, as under PyTorch's autocast."""


class Attention(layers.Layer):
    """Causal self-attention."""

    def __init__(self, config: GPT2Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = config.heads
        self.c_attn = layers.Dense(3 * config.width, name="c_attn", dtype=self.dtype_policy)
        self.c_proj = layers.Dense(config.width, name="c_proj", dtype=self.dtype_policy)

    def call(self, x: Any) -> Any:
        batch, length, width = ops.shape(x)
        by_head = (batch, length, self.heads, width // self.heads)
        query, key, value = (ops.reshape(part, by_head) for part in ops.split(self.c_attn(x), 3, axis=-1))
        mixed = ops.dot_product_attention(query, key, value, is_causal=True)
        return self.c_proj(ops.reshape(mixed, (batch, length, width)))


class MLP(layers.Layer):
    """Two projections with a tanh GELU between them."""

    def __init__(self, config: GPT2Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.c_fc = layers.Dense(4 * config.width, name="c_fc", dtype=self.dtype_policy)
        self.c_proj = layers.Dense(config.width, name="c_proj", dtype=self.dtype_policy)

    def call(self, x: Any) -> Any:
        return self.c_proj(ops.gelu(self.c_fc(x), approximate=True))


class Block(layers.Layer):
    """One pre-norm transformer block."""

    def __init__(self, config: GPT2Config, policy: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ln_1 = layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="ln_1")
        self.attn = Attention(config, name="attn", dtype=policy)
        self.ln_2 = layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="ln_2")
        self.mlp = MLP(config, name="mlp", dtype=policy)

    def call(self, x: Any) -> Any:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(keras.Model):
    """GPT-2 with its head tied to the token embedding.

    Args:
        config: Sizes.
        precision: A key of `POLICIES`.
    """

    def __init__(self, config: GPT2Config, precision: str = "float32") -> None:
        super().__init__(name="gpt2")
        policy = POLICIES[precision]
        self.wte = layers.ReversibleEmbedding(
            config.vocabulary, config.width, reverse_dtype=keras.DTypePolicy(policy).compute_dtype, name="wte"
        )
        self.wpe = layers.Embedding(config.context, config.width, name="wpe")
        self.h = [Block(config, policy, name=f"h_{layer}") for layer in range(config.layers)]
        self.ln_f = layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="ln_f")

    def call(self, tokens: Any) -> Any:
        x = self.wte(tokens) + self.wpe(ops.arange(ops.shape(tokens)[1]))
        for block in self.h:
            x = block(x)
        return self.wte(self.ln_f(x), reverse=True)


def parameter_name(variable: Any) -> str:
    """The parameter's name in every framework: h.0.ln_1.weight for Keras' gpt2/h_0/ln_1/gamma."""
    own = {"embeddings": "weight", "gamma": "weight", "beta": "bias", "kernel": "weight", "bias": "bias"}
    *path, last = variable.path.split("/")[1:]
    return ".".join([*path, own[last]]).replace("h_", "h.", 1)  # a layer's name may have no dot
