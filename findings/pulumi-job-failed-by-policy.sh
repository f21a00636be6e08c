#!/usr/bin/env bash
# Pulumi's Kubernetes provider waits on for a Job that a rule of its pod failure policy has failed.
#
# Version: github.com/pulumi/cloud-ready-checks v1.3.0, of pulumi-kubernetes 4.34; Go 1.26.
# One would guess: an `up` that waits for a Job ends as soon as the Job has the condition Failed.
# Seen: the provider's check takes Failed for an end if the reason is BackoffLimitExceeded or
# DeadlineExceeded, and for nothing if it is PodFailurePolicy, which the action FailJob leads to (or
# FailedIndexes, or MaxFailedIndexesExceeded). The Job is neither ready nor failed then, nothing about
# it changes any more, and `up` waits until its own timeout.
# What it means: a Job that `up` waits for has backoffLimit 0 in place of FailJob, and its program
# tries again by itself. A rule with Ignore does no harm.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'GO'
module finding

go 1.25

require (
	github.com/pulumi/cloud-ready-checks v1.3.0
	k8s.io/api v0.33.2
)
GO
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/cloud-ready-checks/pkg/kubernetes/job"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func main() {
	started := metav1.Now()
	for _, item := range []struct {
		reason  string
		noticed bool
	}{
		{"BackoffLimitExceeded", true},
		{"DeadlineExceeded", true},
		{"PodFailurePolicy", false},
	} {
		failed := batchv1.JobCondition{
			Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: item.reason,
		}
		ready, results := job.NewJobChecker().ReadyDetails(&batchv1.Job{
			Status: batchv1.JobStatus{
				StartTime:  &started,
				Conditions: []batchv1.JobCondition{failed},
			},
		})
		noticed := len(results.Messages().Errors()) > 0
		fmt.Printf("Failed with %-21s ready: %t, noticed: %t\n", item.reason, ready, noticed)
		if ready || noticed != item.noticed {
			fmt.Println("changed: expected noticed:", item.noticed)
			os.Exit(1)
		}
	}
}
GO
go mod tidy > tidy.log 2>&1 || { tail -5 tidy.log; exit 1; }
go run .
