"""Raw files -> sections, genes, targets and splits."""
