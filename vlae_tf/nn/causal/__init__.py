"""A network as a causal graph, evaluated whole or pixel by pixel."""
