"""labkit and the builder, part by part."""
