"""A class from a few examples: Snell, Swersky and Zemel, "Prototypical networks for few-shot learning", 2017.

A class is the mean of what the network makes of its examples, its prototype p, and a sample x belongs to the class
whose prototype is nearest: softmax over -|x - p|². As |x|² is the same for all classes, that is softmax over
2p·x - |p|², a linear layer: the network exports as any other, and a class is a row more.

W classes, S examples of each, D numbers an embedding, all float32.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def prototype_head(embeddings: Tensor) -> nn.Linear:
    """The layer from D to W for the examples' embeddings [W, S, D]; row w is class w. What it gives differs from
    -|x - p|² by the same for all classes, which a softmax does not see.
    """
    return _linear(*_rows(embeddings.mean(1)))


def add_class(head: nn.Linear, embeddings: Tensor) -> nn.Linear:
    """A layer with one row more, for the class with embeddings [S, D]. `head` is of `prototype_head` and stays as it
    is.
    """
    weight, bias = _rows(embeddings.mean(0, keepdim=True))
    return _linear(torch.cat([head.weight, weight]), torch.cat([head.bias, bias]))


def prototypical_loss(support: Tensor, queries: Tensor) -> tuple[Tensor, float]:
    """The loss of one episode, to train the network by, and the share of queries that were right.

    support: embeddings [W, S, D] of the examples. queries: [W, Q, D], of others of the same classes in the same order.
    The loss is the mean negative log-likelihood of the queries' classes; both take part in its gradient.
    """
    ways, count = queries.shape[:2]
    weight, bias = _rows(support.mean(1))
    scores = functional.linear(queries.flatten(0, 1), weight, bias)
    labels = torch.arange(ways, device=queries.device).repeat_interleave(count)
    right = (scores.argmax(1) == labels).float().mean()
    return functional.cross_entropy(scores, labels), float(right)


def _rows(prototypes: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [W, D] and bias [W] of prototypes [W, D]."""
    return 2 * prototypes, -prototypes.square().sum(1)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    head = nn.Linear(weight.shape[1], len(weight), device=weight.device)
    head.weight, head.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
    return head
