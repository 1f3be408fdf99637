"""The local model registry: model package groups, their versions and who approved them."""
