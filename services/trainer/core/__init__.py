"""The trainer's pure decisions: which rows, which learner, whether it may go live, and what is live."""
