"""What is there: releases, the cluster, its node pools and what they cost an hour."""
