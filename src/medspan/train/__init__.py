"""Training: recipes to model folders. The only place that imports torch and onnx."""
