"""Nets as ONNX: a node or a few for each op of the net's graph, run and compared before they are given away.

What is exported is the graph of outputs, op by op, and not layer by layer: a layer is made of ops, so a new
one, a plugin's too, is exported without a word about it. An op says how ONNX has it in one function (`says`);
formulas go primitive by primitive. What ONNX cannot say is an error that names the layer.
"""
