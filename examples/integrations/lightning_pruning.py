"""Tune a Lightning module, with TensorBoard logs and with pruning by optuna-integration.

pip install lightning optuna-integration
"""

import lightning
import optuna
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from optuna_integration import PyTorchLightningPruningCallback
from sklearn.datasets import load_digits
from torch.nn import Linear, ReLU, Sequential, functional
from torch.utils.data import DataLoader, Subset, TensorDataset

from relativenas_optuna import RelativeNASSampler

images, labels = map(torch.tensor, load_digits(return_X_y=True))
digits = TensorDataset(images.float() / 16, labels)
TRAIN, VALIDATION = Subset(digits, range(1200)), Subset(digits, range(1200, 1797))


class Classifier(lightning.LightningModule):
    def __init__(self, width: int, rate: float) -> None:
        super().__init__()
        self.network, self.rate = Sequential(Linear(64, width), ReLU(), Linear(width, 10)), rate

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        return functional.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch: list[torch.Tensor]) -> None:
        self.log("loss", functional.cross_entropy(self.network(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def objective(trial: optuna.Trial) -> float:
    model = Classifier(trial.suggest_int("width", 4, 64), trial.suggest_float("rate", 1e-4, 0.1))
    trainer = lightning.Trainer(
        max_epochs=4, accelerator="cpu", logger=TensorBoardLogger("logs", version=trial.number),
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        callbacks=[PyTorchLightningPruningCallback(trial, "loss")],
    )  # fmt: skip
    trainer.fit(model, DataLoader(TRAIN, 32), DataLoader(VALIDATION, 600))
    return float(trainer.callback_metrics["loss"])


study = optuna.create_study(sampler=RelativeNASSampler(population_size=4, seed=0))
study.optimize(objective, n_trials=8)
print(f"loss {study.best_value:.3f}: {study.best_params}; tensorboard --logdir logs")
