"""Pictures of training and evaluation."""
