"""A trainer in PyTorch: a small network with a BatchNorm, for the lines "x1,x2,class" of a file."""
import torch

import tributary_fl as fl
import tributary_fl.torch

torch.manual_seed(1)                                      # the first model of `init`
model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(),
                            torch.nn.Linear(8, 2))
rows = [[float(word) for word in line.split(",")] for line in open(fl.data() or "/dev/null")]
samples = [(torch.tensor(row[:2]), int(row[2] > 0.2)) for row in rows]
train_loader = torch.utils.data.DataLoader(samples, batch_size=16, shuffle=bool(samples))
test_loader = torch.utils.data.DataLoader(samples, batch_size=64)

tributary_fl.torch.serve(model, train_loader, test_loader, loss=torch.nn.CrossEntropyLoss(),
                         optimizer=lambda m, cfg: torch.optim.SGD(m.parameters(), lr=cfg["rate"]))
