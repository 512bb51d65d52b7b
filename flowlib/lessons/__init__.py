"""What belongs to the lessons alone: a module for each, and what they share.

A lesson's module holds its explorers and the answers of its exercises. A lesson imports what it needs of
this in its first cell; no other part of flowlib does.
"""

from flowlib.lessons.checks import CheckFailed, check_answer, check_close, check_differs, check_mean
from flowlib.lessons.hints import explain_missing_names
from flowlib.lessons.snapshots import Snapshots
