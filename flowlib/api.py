"""The mathematics, in the names that `import flowlib as fl` offers."""

from flowlib.checkpoints import load_model, load_training, save_model, save_training
from flowlib.data import Digits, eight_gaussians, five_points, load_digits, two_moons
from flowlib.fields import (
    conditional_field,
    conditional_velocity,
    constant_field,
    linear_field,
    log_density,
    log_likelihood,
    marginal_field,
    posterior_mean,
    posterior_weights,
    square_field,
    square_root_field,
    velocity_variance,
)
from flowlib.gaussians import NO_CLASS, ClassGaussians
from flowlib.losses import cfm_loss, fm_loss, logit_normal_times, squared_norm, stratified_times
from flowlib.metrics import accuracy, frechet_distance, load_judge, nearest_neighbours
from flowlib.mlp import VelocityMLP, fit
from flowlib.models import VelocityNet, generate
from flowlib.paths import AffinePath, LinearPath, TrigonometricPath
from flowlib.solvers import (
    Trajectory,
    euler_step,
    heun_step,
    midpoint_step,
    picard,
    rk4_step,
    solve_ode,
    time_grid,
)
from flowlib.training import Progress, Training
