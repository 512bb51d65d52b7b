"""Mistakes that learners and programmers make, and what notices each: see `test_checks_have_teeth.py`."""

from typing import NamedTuple


class Bug(NamedTuple):
    """`old` becomes `new` in `where`; then `red` must fail."""

    name: str
    where: str  # a number of a lesson, or a file of flowlib
    old: str
    new: str
    red: str  # how the message of a lesson's check begins; or a test, as file::name


IN_FLOWLIB = [
    Bug(
        "wrong sign of the target",
        "paths.py",
        "        return -torch.ones_like(t)",
        "        return torch.ones_like(t)",
        "test_paths.py::test_the_velocity_is_the_time_derivative_of_the_path",
    ),
    Bug(
        "t reversed",
        "paths.py",
        "        return t\n",
        "        return 1 - t\n",
        "test_paths.py::test_a_path_starts_at_the_noise_and_ends_at_the_data",
    ),
    Bug(
        "π/2 forgotten in the derivative",
        "paths.py",
        "return math.pi / 2 * torch.cos(",
        "return torch.cos(",
        "test_paths.py::test_each_schedule_has_the_derivative_that_autograd_finds",
    ),
    Bug(
        "x_1 fed for x_t",
        "losses.py",
        "evaluate(model, x_t, t) - u_t)",
        "evaluate(model, x_1, t) - u_t)",
        "test_losses.py::test_cfm_has_the_gradient_of_fm_in_every_parameter",
    ),
    Bug(
        "fresh noise in the target",
        "losses.py",
        "    x_t, u_t = path.sample(x_0, x_1, t)\n",
        "    x_t, u_t = path.sample(x_0, x_1, t)[0], path.sample(torch.randn_like(x_0), x_1, t)[1]\n",
        "test_losses.py::test_cfm_exceeds_fm_by_the_conditional_variance_whatever_the_parameters",
    ),
    Bug(
        "mean over pixels where the sum belongs",
        "losses.py",
        ".square().sum(1)",
        ".square().mean(1)",
        "test_losses.py::test_squared_norm_sums_over_everything_but_the_batch",
    ),
    Bug(
        "all times of a batch in its lower half",
        "losses.py",
        "generator=generator)) / batch",
        "generator=generator)) / batch / 2",
        "test_losses.py::test_every_equal_part_of_the_unit_interval_gets_one_time",
    ),
    Bug(
        "weights without normalisation",
        "fields.py",
        "return log_likelihood(x, t, data, path).softmax(dim=1)",
        "return log_likelihood(x, t, data, path).exp()",
        "test_fields.py::test_the_weights_of_a_point_sum_to_one",
    ),
    Bug(
        "σ for σ²",
        "fields.py",
        "per_point(path.sigma(t), x).square()",
        "per_point(path.sigma(t), x)",
        "test_fields.py::test_posterior_weights_are_what_bayes_rule_gives",
    ),
    Bug(
        "1/(1 - t) forgotten",
        "fields.py",
        "x_1) / per_point(path.sigma(t), x)\n",
        "x_1)\n",
        "test_fields.py::test_on_the_linear_path_the_conditional_velocity_points_at_the_data",
    ),
    Bug(
        "the density is off by n",
        "fields.py",
        ".logsumexp(dim=1) - math.log(len(data))",
        ".logsumexp(dim=1)",
        "test_fields.py::test_the_density_integrates_to_one",
    ),
    Bug(
        "only the last piece of the data counts",
        "fields.py",
        "weighted = weighted * rescale + ",
        "weighted = ",
        "test_fields.py::test_the_pieces_do_not_change_the_posterior_mean",
    ),
    Bug(
        "the spread of the velocities forgets their mean",
        "fields.py",
        "sum(1) - mean.square().sum(1)",
        "sum(1)",
        "test_fields.py::test_the_variance_of_the_velocities_is_their_mean_squared_distance_to_the_marginal_field",
    ),
    Bug(
        "one solver step too many",
        "solvers.py",
        "int(steps) + 1, dtype",
        "int(steps) + 2, dtype",
        "test_solvers.py::test_fifty_steps_of_a_fiftieth_are_fifty_steps_that_end_at_one",
    ),
    Bug(
        "midpoint asks at the start of the step",
        "solvers.py",
        "field(half_way, t + dt / 2)",
        "field(half_way, t)",
        "test_solvers.py::test_error_shrinks_with_the_order_of_the_method",
    ),
    Bug(
        "Heun forgets to halve",
        "solvers.py",
        "dt * (start + end) / 2",
        "dt * (start + end)",
        "test_solvers.py::test_error_shrinks_with_the_order_of_the_method",
    ),
    Bug(
        "the slopes of Runge-Kutta weigh the same",
        "solvers.py",
        "(k_1 + 2 * k_2 + 2 * k_3 + k_4) / 6",
        "(k_1 + k_2 + k_3 + k_4) / 4",
        "test_solvers.py::test_error_shrinks_with_the_order_of_the_method",
    ),
    Bug(
        "rand for randn, in training",
        "training.py",
        "x_0 = torch.randn(",
        "x_0 = torch.rand(",
        "test_training.py::test_training_starts_from_normal_noise_and_draws_it_anew_at_every_step",
    ),
    Bug(
        "the same noise at every step",
        "training.py",
        "x_0 = torch.randn(x_1.shape, generator=self.generator)",
        "x_0 = torch.randn(x_1.shape, generator=torch.Generator().manual_seed(0))",
        "test_training.py::test_training_starts_from_normal_noise_and_draws_it_anew_at_every_step",
    ),
    Bug(
        "EMA never updated",
        "training.py",
        "list(self.model.parameters()), weights, share)",
        "list(self.model.parameters()), weights, 0.0)",
        "test_training.py::test_the_model_averages_the_networks_with_binomial_weights",
    ),
    Bug(
        "labels not permuted with the images",
        "training.py",
        "self.labels[rows].clone()",
        "self.labels[: len(rows)].clone()",
        "test_training.py::test_training_sees_each_image_with_its_own_label_and_a_tenth_without",
    ),
    Bug(
        "gradients never cleared",
        "training.py",
        "        self.optimizer.zero_grad()",
        "        pass",
        "test_training.py::test_a_step_follows_the_gradient_of_its_own_batch",
    ),
    Bug(
        "the class ignored, in the network",
        "models.py",
        "dim=1)) + self.label(label))",
        "dim=1)))",
        "test_models.py::test_the_velocity_depends_on_point_time_and_label",
    ),
    Bug(
        "the class ignored, in generation",
        "models.py",
        "partial(model, label=label.to(device, torch.int64))",
        "model",
        "test_models.py::test_generating_is_solving_the_ode_from_the_noise_of_the_seed",
    ),
    Bug(
        "the time ignored",
        "mlp.py",
        "torch.cat([x, per_point(t, x)], dim=1)",
        "torch.cat([x, 0 * per_point(t, x)], dim=1)",
        "test_mlp.py::test_the_network_sees_the_point_and_the_time",
    ),
    Bug(
        "rand for randn, in generation",
        "models.py",
        "x_0 = torch.randn(",
        "x_0 = torch.rand(",
        "test_models.py::test_generating_is_solving_the_ode_from_the_noise_of_the_seed",
    ),
    Bug(
        "the noise's part of the slope dropped",
        "gaussians.py",
        "(d_alpha * alpha * variance + d_sigma * sigma)",
        "(d_alpha * alpha * variance)",
        "test_gaussians.py::test_the_field_is_the_mean_velocity_of_the_pairs_that_pass",
    ),
    Bug(
        "only() keeps the labels of all",
        "data/digits.py",
        "return Digits(self.images[chosen], self.labels[chosen])",
        "return Digits(self.images[chosen], self.labels[: chosen.sum()])",
        "test_data.py::test_only_keeps_the_chosen_classes_in_their_order",
    ),
    Bug(
        "a check that passes all",
        "checks.py",
        "    if not holds:\n",
        "    if False:\n",
        "test_checks.py::test_a_large_gap_fails_with_the_same_numbers",
    ),
]

IN_LESSONS: list[Bug] = []
