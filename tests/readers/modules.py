"""Small torch modules, and what they are made of."""

import torch
from torch import nn
from torch.nn import functional


class Residual(nn.Module):
    """Parameters are registered in another order than they are used in."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(32, 3)
        self.body = nn.Sequential(
            nn.Conv2d(2, 2, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(2, 2, 3, padding="same", bias=False),
        )
        self.stem = nn.Conv2d(1, 2, (3, 2), stride=2, padding=(1, 0))
        self.act = nn.LeakyReLU(0.2)
        self.input = nn.Identity()

    def forward(self, x):
        x = self.act(self.stem(self.input(x)))
        x = torch.relu(x + self.body(x))
        return self.head(torch.flatten(x, 1))


class Wrapped(nn.Module):
    """A module whose forward is the given function of it and x."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.formula = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.formula(self, x)


def dense(forward, **parts):
    return Wrapped(forward, fc=nn.Linear(4, 4), out=nn.Linear(4, 2), **parts)


MODULES = {
    "nested": (
        nn.Sequential(
            nn.Linear(3, 4),
            nn.Sequential(nn.ReLU(), nn.Identity(), nn.Linear(4, 4, bias=False)),
            nn.LeakyReLU(0.1),
        ),
        (3,),
    ),
    "convolutional": (
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding="valid"),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Dropout(0.0),
            nn.Flatten(),
            nn.Linear(16, 2),
        ),
        (3, 6, 7),
    ),
    "pool": (
        nn.Sequential(nn.AvgPool2d((2, 3), stride=(1, 2)), nn.Flatten(), nn.Linear(6, 2)),
        (1, 4, 5),
    ),
    "residual": (Residual(), (1, 8, 9)),
    "block in a Sequential": (
        nn.Sequential(nn.Linear(4, 4), dense(lambda m, x: m.out(m.fc(x) + x)), nn.ReLU()),
        (4,),
    ),
    "one layer": (nn.Linear(5, 2), (5,)),
    "functions": (
        dense(
            lambda m, x: m.out(
                functional.leaky_relu(functional.relu(m.fc(x).relu()), negative_slope=0.3)
            )
        ),
        (4,),
    ),
    "a ReLU twice": (dense(lambda m, x: m.act(m.out(m.act(m.fc(x)))), act=nn.ReLU()), (4,)),
    "sums": (dense(lambda m, x: m.out(torch.add(m.fc(x), x).add(torch.relu(x)))), (4,)),
    "overwriting sum": (dense(lambda m, x: m.out(functional.relu(overwritten(m.fc(x), x)))), (4,)),
    "view": (dense(lambda m, x: m.out(m.fc(x.view(x.size(0), -1)))), (2, 2)),
    "view by shape": (dense(lambda m, x: m.out(m.fc(x.view(x.shape[0], -1)))), (1, 2, 2)),
    "view by size": (dense(lambda m, x: m.out(m.fc(x.view((x.size()[0], 4))))), (2, 2)),
    "view of a known size": (dense(lambda m, x: m.out(m.fc(x.view(-1, 4)))), (2, 2)),
    "reshape": (
        dense(
            lambda m, x: m.out(
                m.fc(torch.reshape(x, (x.size(0), -1)).reshape(-1, 4).flatten(start_dim=1))
            )
        ),
        (2, 2),
    ),
}


def overwritten(x, y):
    x += y
    return x
