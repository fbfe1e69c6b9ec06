"""Finding out how a whole model is to be called, and whether stepping through it gives what its forward gives."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.base.randomness import undisturbed
from rnnscope.systems._discovery import discover
from rnnscope.systems._examination import unlike
from rnnscope.systems._functional import all_tensors, kept_tensors, private_copy
from rnnscope.systems._layouts import InputLayout, Outputs, input_layouts, outputs_layouts
from rnnscope.systems._lent import Lent, LentModule, NotOneStepError, find_cores
from rnnscope.systems._readings import tensors_of
from rnnscope.systems.foreign import ForeignSystem
from rnnscope.systems.model import FramedSystem, ModelSystem, Plan, forward_of, initial_states, one_step
from rnnscope.systems.module import STEP_MODULE, ModuleSystem
from rnnscope.systems.system import Params

_LONGER_THAN = 20  # steps: what looks further back than that into the inputs is not seen


def read_model(model: nn.Module, *, input_size: int | None = None) -> ForeignSystem:
    """A model as the map of its recurrent cores, if stepping through it gives what its forward gives.

    Cores are modules of torch or of ours; where there are none, or with them the model is no map, a part of the model
    that hands on a state of its own, or the model itself.

    Raises:
        UnsupportedModelError: says why not, and what to hand over.

    """
    copied, kept = private_copy(model), kept_tensors(model)
    search = _Search(copied, input_size, kept)
    refusal: UnsupportedModelError | None = None
    if search.cores:
        try:
            return _system(copied, search.plan())
        except UnsupportedModelError as error:
            refusal = error
    for core in discover(copied, search.layouts(), search.time, search.batch):
        assert isinstance(core, LentModule)
        if core.path == "":
            state = core.reading.state
            example = state.nested(torch.zeros(1, sum(state.sizes)))
            return ModuleSystem(copied, input_size=core.width, state=example)
        with suppress(UnsupportedModelError):
            return _system(copied, _Search(copied, input_size, kept, [core]).plan())
    if refusal is not None:
        raise refusal
    raise UnsupportedModelError(
        f"{type(model).__name__}: no recurrent submodule of torch in it, nor a part that takes and returns a state, so "
        f"its state cannot be found; hand over one step of it:\n{STEP_MODULE}"
    )


def _system(module: nn.Module, plan: Plan) -> ModelSystem:
    framed = len(plan.cores) == 1 and plan.cores[0].rule is not None
    return (FramedSystem if framed else ModelSystem)(module, plan)


class _Search:
    """Trying layouts one after another, until one is right."""

    def __init__(self, module: nn.Module, input_size: int | None, kept: list[str], cores: Sequence[Lent] | None = None):
        self.module, self.input_size, self.kept = module, input_size, kept
        self.kind = type(module).__name__
        self.tensors = all_tensors(module)
        self.cores = find_cores(module) if cores is None else list(cores)
        sizes = {n for tensor in self.tensors.values() for n in tensor.shape}
        self.batch = unlike(*sizes, above=3)
        self.time = unlike(*sizes, self.batch, above=max(self.batch, _LONGER_THAN))
        self.raised: list[str] = []
        self.differed: list[str] = []
        self.not_one_step: list[str] = []

    def layouts(self) -> Iterator[InputLayout]:
        """Ways to call the model that are worth trying."""
        widths = [core.input_size(self.module) for core in self.cores]
        batch_first = getattr(self.cores[0].module(self.module), "batch_first", None) if self.cores else None
        return input_layouts(self.module, widths, self.input_size, batch_first)

    def plan(self) -> Plan:
        """The first reading that is right; UnsupportedModelError if none is."""
        with torch.no_grad(), undisturbed(*{tensor.device for tensor in self.tensors.values()}):
            for layout in self.layouts():
                found = self._try(layout)
                if found is not None:
                    return found
        raise UnsupportedModelError(f"{self.kind}: {self._refusal()}")

    def _try(self, layout: InputLayout) -> Plan | None:
        generator = torch.Generator().manual_seed(0)
        shape = (self.time, self.batch, layout.input_size)
        if layout.n_tokens is None:
            sequence = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
        else:
            sequence = torch.randint(layout.n_tokens, shape, generator=generator).double()
        points = [_doubled(self.tensors), _doubled(self._randomised(generator))]
        try:
            returned = forward_of(self.module, points[0], layout, tuple(self.cores), sequence)
        except Exception:
            points = [self.tensors, self._randomised(generator)]  # a forward that works in float32 only
            own = next((t.dtype for t in self.tensors.values() if t.is_floating_point()), torch.float32)
            sequence = sequence.to(own)
            try:
                returned = forward_of(self.module, points[0], layout, tuple(self.cores), sequence)
            except Exception as error:
                said = (str(error).splitlines() or [""])[0][:120]
                self.raised.append(f"an input {layout.describe()} gave {type(error).__name__}: {said}")
                return None
        for outputs in outputs_layouts(returned, self.time, self.batch):
            plan = Plan(tuple(self.cores), layout, outputs, begins_at_zero=True)
            plan = self._with_cores_called(plan, points[0], sequence)
            if plan is None:
                continue
            problems = [self._difference(plan, tensors, sequence) for tensors in points]
            if problems == [None, None]:
                zero = all(self._begins_at_zero(plan, tensors, sequence) for tensors in points)
                return replace(plan, outputs=self._heads(plan, points[1], sequence), begins_at_zero=zero)
            self.differed += [problem for problem in problems if problem is not None]
        return None

    def _heads(self, plan: Plan, tensors: Params, sequence: Tensor) -> Outputs:
        """The outputs without those that hand out the state once more, as in ``return self.head(states), states``; all
        of them where they all do."""
        generator, size = torch.Generator().manual_seed(1), sum(core.state_size for core in plan.cores)
        state = torch.randn(self.batch, size, generator=generator).to(sequence)
        new, returned = one_step(self.module, tensors, plan.cores, plan.layout, state, sequence[0])
        states, given = _columns(new), list(tensors_of(returned))
        widths = {place: given[place].numel() // self.batch for place in plan.outputs.places}
        heads = [
            (place, layout, widths[place])
            for place, layout in zip(plan.outputs.places, plan.outputs.layouts, strict=True)
            if not (came := _columns(given[place].reshape(self.batch, -1))) or not came <= states
        ]
        return Outputs(*zip(*heads, strict=True)) if heads else replace(plan.outputs, widths=tuple(widths.values()))

    def _with_cores_called(self, plan: Plan, tensors: Params, sequence: Tensor) -> Plan | None:
        """The plan with those cores only that a step calls; None if one is called otherwise than once."""
        cores = list(plan.cores)
        while cores:
            state = sequence.new_zeros(self.batch, sum(core.state_size for core in cores))
            try:
                one_step(self.module, tensors, tuple(cores), plan.layout, state, sequence[0])
            except NotOneStepError as error:
                idle = [core for core in cores if f"core {core.path} is not called" in str(error)]
                if not idle:
                    self.not_one_step.append(str(error))
                    return None
                cores.remove(idle[0])
            except Exception as error:
                said = (str(error).splitlines() or [""])[0][:120]
                self.raised.append(f"one step {plan.layout.describe()} gave {type(error).__name__}: {said}")
                return None
            else:
                return replace(plan, cores=tuple(cores))
        return None

    def _difference(self, plan: Plan, tensors: Params, sequence: Tensor) -> str | None:
        """How stepping differs from the forward on a sequence; None: not at all, or both give NaN."""
        returned = forward_of(self.module, tensors, plan.layout, plan.cores, sequence)
        wanted = plan.outputs.over_time(returned, self.time, self.batch)
        state = initial_states(self.module, tensors, plan.cores, plan.layout, sequence)
        came = []
        for input in sequence:
            state, output = one_step(self.module, tensors, plan.cores, plan.layout, state, input)
            came.append(plan.outputs.of_one_step(output, self.batch))
        last_only = plan.outputs.layouts[0] == "last"
        stepped = torch.stack(came[-1:] if last_only else came)
        if stepped.shape != wanted.shape:
            return "the outputs of one step have another size than those of a sequence"
        tolerance = 1e4 * torch.finfo(wanted.dtype).eps * (1 + float(wanted.nan_to_num().abs().max()))
        apart = ((stepped - wanted).abs() > tolerance).flatten(1).any(1)
        if not bool(apart.any()):
            return None
        if last_only or bool(apart[0]):
            return "its output differs from that of its cores stepped one input at a time"
        return f"its output of step {int(apart.nonzero()[0]) + 1} depends on other steps than through its cores' state"

    def _begins_at_zero(self, plan: Plan, tensors: Params, sequence: Tensor) -> bool:
        return not bool(initial_states(self.module, tensors, plan.cores, plan.layout, sequence).any())

    def _randomised(self, generator: torch.Generator) -> Params:
        """Weights of variance 1/width, other parameters of variance 1, buffers in (0.5, 1.5): at the initial weights a
        scale of 1, a residual of 0 or a freshly made normalisation would pass unseen."""
        parameters = {name for name, _ in self.module.named_parameters(remove_duplicate=False)}
        fixed = {name for core in self.cores if core.rule is not None for name in core.rule.frozen}
        found = {}
        for name, tensor in self.tensors.items():
            if not tensor.is_floating_point() or name in fixed:
                found[name] = tensor
                continue
            if name in parameters:
                scale = tensor.shape[-1] ** -0.5 if tensor.dim() > 1 else 1.0
                made = scale * torch.randn(tensor.shape, generator=generator)
            else:
                made = 0.5 + torch.rand(tensor.shape, generator=generator)
            found[name] = made.to(tensor)
        return found

    def _refusal(self) -> str:
        names = ", ".join(core.path or "itself" for core in self.cores)
        if self.differed:
            why = (
                f"{self.differed[0]}, so it is no map of that state (attention, convolution or a mean over time? "
                "normalisation over the batch?)"
            )
        elif self.not_one_step:
            why = f"in a call with one step, {self.not_one_step[0]}"
        elif self.raised:
            why = f"its forward could not be called with one input tensor: {self.raised[0]}"
            if self.kept:
                kept = ", ".join(f"self.{name}" for name in self.kept)
                why += f" (does it keep a state in {kept} between calls? Set that to None first)"
        else:
            why = "no output of its forward has a row for each sequence"
        return (
            f"{why}. Read as: recurrent cores {names}. What will do is one step of it, as a module of its own:\n"
            f"{STEP_MODULE}"
        )


def _columns(rows: Tensor) -> set[tuple[float, ...]]:
    """The columns of a table, but those of one number only: what a unit that is off gives is nobody's copy."""
    return {tuple(column) for column in rows.T.tolist() if len(set(column)) > 1}


def _doubled(tensors: Params) -> Params:
    return {k: t.double() if t.is_floating_point() else t for k, t in tensors.items()}
