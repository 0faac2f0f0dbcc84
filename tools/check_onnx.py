#!/usr/bin/python3
"""Holds ONNX files against the format's own checker, with shapes inferred through the whole graph.

    tools/check_onnx.py FILE.onnx...

Needs python3-onnx (Debian 12: 1.12). Prints the operators, the input and the output of every file.
"""
import collections
import sys

import onnx


def shape(value):
    return "x".join(d.dim_param or str(d.dim_value) for d in value.type.tensor_type.shape.dim)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: check_onnx.py FILE.onnx...")
    for path in sys.argv[1:]:
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        told = [shape(v) for v in model.graph.output]
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        if [shape(v) for v in inferred.graph.output] != told:
            sys.exit(f"{path}: the output is not of the shape that follows from the graph")
        ops = collections.Counter(node.op_type for node in model.graph.node)
        print(path, "ok:", shape(model.graph.input[0]), "to", *told, dict(sorted(ops.items())))


if __name__ == "__main__":
    main()
