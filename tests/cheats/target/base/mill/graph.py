"""A graph, asked for neighbours."""


class Graph:
    """Nodes are numbers; edges are pairs."""

    def __init__(self, nodes, edges):
        self.nodes = nodes
        self.edges = edges

    def neighbours(self, wanted):
        """Who follows these nodes."""
        found = []
        for node in wanted:
            found.append([b for a, b in self.edges if a == node])
        return found
