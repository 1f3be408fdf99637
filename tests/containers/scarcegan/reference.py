"""The training step once more, independently: numpy in float64 with gradients written out by hand.

Written from the algorithm's description. It knows nothing of flat vectors, log-softmax or TensorFlow; the test of
the steps runs both on the same batches and compares losses and weights.
"""

from __future__ import annotations

import numpy as np

SLOPE, NORM_EPSILON, MOMENTUM, ADAM_EPSILON = 0.2, 1e-3, 0.99, 1e-7


def leaky(x):
    return np.where(x > 0, x, SLOPE * x)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class Adam:
    """Each tensor with moments and a count of its own optimiser's updates."""

    def __init__(self, rate, beta_1, beta_2):
        self.rate, self.beta_1, self.beta_2, self.count, self.moments = rate, beta_1, beta_2, 0, {}

    def move(self, weights, gradients):
        self.count += 1
        for name, gradient in gradients.items():
            mean, square = self.moments.get(name, (0.0, 0.0))
            mean = self.beta_1 * mean + (1 - self.beta_1) * gradient
            square = self.beta_2 * square + (1 - self.beta_2) * gradient**2
            self.moments[name] = mean, square
            rate = self.rate * np.sqrt(1 - self.beta_2**self.count) / (1 - self.beta_1**self.count)
            weights[name] = weights[name] - rate * mean / (np.sqrt(square) + ADAM_EPSILON)


class Reference:
    """One model in training. ``targets``: what each class weighs in the supervised log-probabilities."""

    def __init__(
        self, weights, layers, targets, variant, alpha, risky, labels, rates, low_density=(0.0, 0.65)
    ):
        self.w = {name: np.array(tensor, np.float64) for name, tensor in weights.items()}
        self.layers, self.targets, self.labels, self.risky = layers, targets[labels], labels, risky
        self.leeway, self.unknown, self.bad = variant
        self.real = np.array([alpha, 1 - alpha, 0.0]) if self.unknown else np.array([1.0, 0.0, 0.0])
        self.fake = np.array([0.0, 0.0, 1.0])
        self.density_weight, self.density_epsilon = low_density
        self.optimisers = [Adam(*rates) for _ in range(3)]

    def body(self, x):
        """Every layer's input and sum, and the features."""
        kept = []
        for layer in range(self.layers):
            total = x @ self.w[f"body.{layer}.kernel"] + self.w[f"body.{layer}.bias"]
            kept.append((x, total))
            x = leaky(total)
        return kept, x

    def body_back(self, kept, gradient):
        """Gradients by the body's weights, and by its input."""
        found = {}
        for layer in reversed(range(self.layers)):
            x, total = kept[layer]
            gradient = gradient * np.where(total > 0, 1.0, SLOPE)
            found[f"body.{layer}.kernel"] = x.T @ gradient
            found[f"body.{layer}.bias"] = gradient.sum(axis=0)
            gradient = gradient @ self.w[f"body.{layer}.kernel"].T
        return found, gradient

    def probabilities(self, head, features):
        logits = features @ self.w[f"{head}.kernel"] + self.w[f"{head}.bias"]
        if head == "supervised" and not self.leeway:
            logits[:, -1] = -np.inf
        if head == "unsupervised" and not self.unknown:
            logits[:, 1] = -np.inf
        return softmax(logits)

    def head_loss(self, head, features, targets):
        """Cross-entropy with weights for targets, and its gradient by the logits."""
        p = self.probabilities(head, features)
        targets = np.broadcast_to(targets, p.shape)
        loss = -np.sum(targets[targets > 0] * np.log(p[targets > 0])) / len(p)
        return loss, (p * targets.sum(axis=1, keepdims=True) - targets) / len(p), p

    def discriminate(self, optimiser, head, x, targets):
        kept, features = self.body(x)
        loss, by_logits, p = self.head_loss(head, features, targets)
        gradients, _ = self.body_back(kept, by_logits @ self.w[f"{head}.kernel"].T)
        gradients[f"{head}.kernel"] = features.T @ by_logits
        gradients[f"{head}.bias"] = by_logits.sum(axis=0)
        optimiser.move(self.w, gradients)
        return loss, p

    def normalised(self, hidden, mean, variance):
        unit = (hidden - mean) / np.sqrt(variance + NORM_EPSILON)
        return unit, unit * self.w["generator.gamma"] + self.w["generator.beta"]

    def generate(self, z):
        """Fake rows by the running statistics."""
        hidden = z @ self.w["generator.0.kernel"]
        _, scaled = self.normalised(hidden, self.w["generator.mean"], self.w["generator.variance"])
        return np.maximum(leaky(scaled) @ self.w["generator.1.kernel"] + self.w["generator.1.bias"], 0)

    def generator_loss(self, features, real_features):
        """The loss and its gradient by the fake rows' features."""
        if self.bad:
            return self.matching(features, real_features)
        loss, by_logits, _ = self.head_loss("unsupervised", features, self.real)
        return loss, by_logits @ self.w["unsupervised.kernel"].T

    def matching(self, f, real):
        """Feature matching and, pair by pair, the pull-away term."""
        rows, width = f.shape
        distance = f.mean(axis=0) - real.mean(axis=0)
        loss = np.abs(distance).mean()
        gradient = np.tile(np.sign(distance) / width / rows, (rows, 1))
        norms = np.linalg.norm(f, axis=1)
        unit = f / norms[:, None]
        for i in range(rows):
            for k in range(rows):
                if i != k:
                    cosine = unit[i] @ unit[k]
                    loss += cosine**2 / (rows * (rows - 1))
                    # each ordered pair moves row i; its mirror image does the same again
                    by_i = 2 * cosine * (unit[k] - cosine * unit[i]) / norms[i]
                    gradient[i] += 2 * by_i / (rows * (rows - 1))
        return loss, gradient

    def density(self, features):
        p = self.probabilities("supervised", features)
        place = p[:, :-1].argmax(axis=1)
        confidence = p[np.arange(len(p)), place]
        dense = confidence > self.density_epsilon
        loss = np.sum(np.log(confidence[dense])) / len(p)
        by_logits = np.where(dense[:, None], np.eye(p.shape[1])[place] - p, 0.0) / len(p)
        return self.density_weight * loss, self.density_weight * by_logits @ self.w["supervised.kernel"].T

    def generator_step(self, z, labelled):
        hidden = z @ self.w["generator.0.kernel"]
        mean, variance = hidden.mean(axis=0), hidden.var(axis=0)
        unit, scaled = self.normalised(hidden, mean, variance)
        total = leaky(scaled) @ self.w["generator.1.kernel"] + self.w["generator.1.bias"]
        kept, features = self.body(np.maximum(total, 0))
        loss, gradient = self.generator_loss(features, self.body(labelled)[1])
        if self.density_weight:
            more, by_features = self.density(features)
            loss, gradient = loss + more, gradient + by_features
        _, gradient = self.body_back(kept, gradient)  # the discriminator's own gradients are thrown away
        gradient = gradient * (total > 0)
        found = {"generator.1.kernel": leaky(scaled).T @ gradient, "generator.1.bias": gradient.sum(axis=0)}
        gradient = gradient @ self.w["generator.1.kernel"].T * np.where(scaled > 0, 1.0, SLOPE)
        found["generator.gamma"], found["generator.beta"] = (
            (gradient * unit).sum(axis=0),
            gradient.sum(axis=0),
        )
        by_unit = gradient * self.w["generator.gamma"]
        centred = by_unit - by_unit.mean(axis=0) - unit * (by_unit * unit).mean(axis=0)
        found["generator.0.kernel"] = z.T @ (centred / np.sqrt(variance + NORM_EPSILON))
        for name, now in (("mean", mean), ("variance", variance)):
            self.w[f"generator.{name}"] = MOMENTUM * self.w[f"generator.{name}"] + (1 - MOMENTUM) * now
        self.optimisers[2].move(self.w, found)
        return loss

    def step(self, labelled, unlabelled, noise):
        """Losses (supervised, unsupervised, generator) and the accuracy of one step."""
        supervised, unsupervised, _ = self.optimisers
        loss, p = self.discriminate(supervised, "supervised", labelled, self.targets)
        made = self.generate(noise[0])
        real, _ = self.discriminate(unsupervised, "unsupervised", unlabelled, self.real)
        fake, _ = self.discriminate(unsupervised, "unsupervised", made, self.fake)
        generator = self.generator_step(noise[1], labelled)
        return loss, (real + fake) / 2, generator, (p.argmax(axis=1) == self.labels).mean()
