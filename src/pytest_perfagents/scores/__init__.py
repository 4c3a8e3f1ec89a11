"""The field's scores of agents, each with its definition, its source and a bootstrap interval. Pure numerics."""
