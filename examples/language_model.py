"""A word model as one has it (embedding, dropout, tied weights, two layers), and what it comes to at each held word.

Run it: python examples/language_model.py [folder]
"""

import sys
from pathlib import Path

import torch
from torch import nn

import rnnscope as rs

TEXT = "row row row your boat gently down the stream . merrily merrily merrily merrily life is but a dream ."
SONG = TEXT.split()
VOCABULARY = sorted(set(SONG))


class WordModel(nn.Module):
    """(time, batch) of tokens and a state -> scores of the next word (time, batch, word), state."""

    def __init__(self, n_words: int, width: int = 24):
        super().__init__()
        self.drop, self.embedding = nn.Dropout(0.2), nn.Embedding(n_words, width)
        self.lstm, self.decoder = nn.LSTM(width, width, num_layers=2, dropout=0.2), nn.Linear(width, n_words)
        self.decoder.weight = self.embedding.weight

    def forward(self, tokens, state=None):
        y, state = self.lstm(self.drop(self.embedding(tokens)), state)
        return self.decoder(self.drop(y)), state


def train_one_epoch(model, tokens, optimizer):
    """Truncated back-propagation: the state is carried on from one piece to the next."""
    model.train()
    state, total = None, 0.0
    for x, y in zip(tokens[:-1].split(20), tokens[1:].split(20), strict=True):
        scores, state = model(x, state)
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = tuple(part.detach() for part in state)
        total += len(x) * float(loss.detach())
    return total / (len(tokens) - 1)


def main(folder: Path) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokens = torch.tensor([VOCABULARY.index(word) for word in SONG * 20]).view(4, -1).T.contiguous()
    model = WordModel(len(VOCABULARY))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    pieces = tokens[:81].T  # (sequence, time)

    # from here on: rnnscope
    objective = rs.Objective(pieces[:, :-1], pieces[:, 1:], loss="cross-entropy")
    with rs.Recorder(folder / "words", model, objective=objective) as recorder:
        for epoch in range(30):
            recorder.epoch(epoch, loss=train_one_epoch(model, tokens, optimizer))
            if epoch in (9, 19, 29):
                torch.save({"epoch": epoch, "state_dict": model.state_dict()}, folder / f"epoch={epoch}.ckpt")
    run = rs.Run(folder / "words", model=model)
    found = run.probe("attractors", epochs=10)
    rs.figures.orbit_diagram(run.probe("orbits", epochs=3)).savefig(folder / "words.png")
    later = rs.Run.from_checkpoints(folder / "*.ckpt", build=lambda: WordModel(len(VOCABULARY)), path=folder / "later")

    last = found.isel(step=-1)
    for at, label in enumerate(last["input_label"].values):
        word = VOCABULARY[int(last["input_value"].values[at, 0])]
        kinds = [str(name) for name in rs.attractors.kind_names(last["kind"].isel(input=at)) if name]
        print(f"held {word!r} ({label}): {', '.join(kinds)}")
    cost = run.probe("smoothness", epochs=[29], max_products=20)["cost"].item()
    with torch.no_grad():
        scores = model.eval()(pieces[:, :-1].T)[0]
        own = nn.functional.cross_entropy(scores.flatten(0, 1), pieces[:, 1:].T.flatten())
    print(f"cost {cost:.6f}, the model's own loss without dropout {float(own):.6f}")
    print(f"checkpoints at epochs {later.epochs.tolist()}")


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/language-model")
    where.mkdir(parents=True, exist_ok=True)
    main(where)
