"""The Kubernetes operator: turns AnomalyModels and LogPipelines into running pods, and reports how they are."""
