"""The sizes of a GPT-2 and the names and shapes of its parameters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GPT2Config:
    """A GPT-2: pre-norm, learned positions, tanh GELU, biases, the head tied to the token embedding.

    Attributes:
        layers: Number of transformer blocks.
        width: Size of the residual stream.
        heads: Number of attention heads.
        context: Largest number of tokens in a sequence.
        vocabulary: Number of tokens.
        layer_norm_epsilon: Added to the variance in each layer norm.
    """

    layers: int
    width: int
    heads: int
    context: int
    vocabulary: int
    layer_norm_epsilon: float = 1e-5


def parameter_shapes(model: GPT2Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the parameters, in the order in which every framework lists them.

    Names and layout are those of GPT-2's published weights: a projection's weight is (inputs, outputs).
    """
    width = model.width
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (model.vocabulary, width),
        "wpe.weight": (model.context, width),
    }
    for layer in range(model.layers):
        block = {
            "ln_1.weight": (width,),
            "ln_1.bias": (width,),
            "attn.c_attn.weight": (width, 3 * width),
            "attn.c_attn.bias": (3 * width,),
            "attn.c_proj.weight": (width, width),
            "attn.c_proj.bias": (width,),
            "ln_2.weight": (width,),
            "ln_2.bias": (width,),
            "mlp.c_fc.weight": (width, 4 * width),
            "mlp.c_fc.bias": (4 * width,),
            "mlp.c_proj.weight": (4 * width, width),
            "mlp.c_proj.bias": (width,),
        }
        shapes |= {f"h.{layer}.{name}": shape for name, shape in block.items()}
    return shapes | {"ln_f.weight": (width,), "ln_f.bias": (width,)}
