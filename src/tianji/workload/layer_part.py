"""What a mixer or an MLP comes to: its ops as they are priced, and its parameters as checkpoints store them."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.workload.ops import AttentionOp, ExpertOps, Matmul, Recurrence, Vector


@dataclass(frozen=True, slots=True)
class LayerPart:
    """One mixer or MLP: ops for one token, parameters, and what the backward pass needs of it."""

    kind: str
    matmuls: tuple[Matmul, ...] = ()
    attention: tuple[AttentionOp, ...] = ()
    scans: tuple[Recurrence, ...] = ()
    vectors: tuple[Vector, ...] = ()
    experts: ExpertOps | None = None
    small: int = 0
    """Parameters that no matmul counts: norms, biases, convolutions, decays."""
    whole: int = 0
    """Parameters that every tensor rank holds, of all."""
    idle: int = 0
    """Of all parameters, those that a token does not use."""
    saved: float = 0.0
    """Elements in the activations' dtype that one token leaves for the backward pass, divided by the tensor cut."""
    saved_whole: float = 0.0
    """The same, divided only with sequence parallelism."""
    heads: tuple[int, ...] = ()
    """Heads that a tensor cut must divide beside those of its ops: of keys, of blocks of gates."""
    groups: tuple[int, ...] = ()
    """Groups that heads share (key-value heads, Mamba-2's inputs and outputs): these and a tensor cut divide each other."""

    @property
    def parameters(self) -> int:
        """Parameters, those of routed experts left out."""
        return sum(m.k * m.n for m in self.matmuls) + self.small

    @property
    def expert_parameters(self) -> int:
        """Parameters of one routed expert."""
        return sum(m.k * m.n for m in self.experts.matmuls) + self.experts.bias if self.experts else 0
