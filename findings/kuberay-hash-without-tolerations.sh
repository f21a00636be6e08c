#!/usr/bin/env bash
# KubeRay does not notice that the tolerations of a RayService's pods have changed.
#
# Version: github.com/ray-project/kuberay/ray-operator v1.6.2; Go 1.26. The first build takes minutes.
# One would guess: an edit of a worker group's pod template starts a new RayCluster, as an edit of its
# nodeSelector does.
# Seen: the hash by which the operator decides stays the same if only tolerations or scheduling gates
# change, or the numbers of workers. The edit is accepted, the RayService stays Ready, no pod gets
# the new tolerations, and nothing says so. In the source the reason is Kueue, which adds both
# (GenerateHashWithoutReplicasAndWorkersToDelete in controllers/ray/utils/util.go). A nodeSelector, an
# annotation, autoscalerOptions.idleTimeoutSeconds and rayVersion alone each change the hash.
# What it means: if a taint of a node pool changes, something else of its worker group has to change
# too, or its pods stay Pending.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'GO'
module finding

go 1.25

require github.com/ray-project/kuberay/ray-operator v1.6.2
GO
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"

	rayv1 "github.com/ray-project/kuberay/ray-operator/apis/ray/v1"
	"github.com/ray-project/kuberay/ray-operator/controllers/ray/utils"
	corev1 "k8s.io/api/core/v1"
)

func hash(edit func(spec *rayv1.RayClusterSpec, group *rayv1.WorkerGroupSpec)) string {
	seconds := int32(60)
	spec := rayv1.RayClusterSpec{
		RayVersion:        "2.49.1",
		AutoscalerOptions: &rayv1.AutoscalerOptions{IdleTimeoutSeconds: &seconds},
		WorkerGroupSpecs:  []rayv1.WorkerGroupSpec{{GroupName: "l4"}},
	}
	edit(&spec, &spec.WorkerGroupSpecs[0])
	made, err := utils.GenerateHashWithoutReplicasAndWorkersToDelete(spec)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return made
}

func main() {
	one := int32(1)
	usual := hash(func(*rayv1.RayClusterSpec, *rayv1.WorkerGroupSpec) {})
	edits := []struct {
		name    string
		noticed bool
		edit    func(spec *rayv1.RayClusterSpec, group *rayv1.WorkerGroupSpec)
	}{
		{"tolerations", false, func(_ *rayv1.RayClusterSpec, group *rayv1.WorkerGroupSpec) {
			group.Template.Spec.Tolerations = []corev1.Toleration{{Key: "nvidia.com/gpu"}}
		}},
		{"schedulingGates", false, func(_ *rayv1.RayClusterSpec, group *rayv1.WorkerGroupSpec) {
			group.Template.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "wait"}}
		}},
		{"maxReplicas", false, func(_ *rayv1.RayClusterSpec, group *rayv1.WorkerGroupSpec) {
			group.MaxReplicas = &one
		}},
		{"nodeSelector", true, func(_ *rayv1.RayClusterSpec, group *rayv1.WorkerGroupSpec) {
			group.Template.Spec.NodeSelector = map[string]string{"pool": "l4"}
		}},
		{"annotations", true, func(spec *rayv1.RayClusterSpec, _ *rayv1.WorkerGroupSpec) {
			spec.HeadGroupSpec.Template.Annotations = map[string]string{"a": "b"}
		}},
		{"idleTimeoutSeconds", true, func(spec *rayv1.RayClusterSpec, _ *rayv1.WorkerGroupSpec) {
			spec.AutoscalerOptions.IdleTimeoutSeconds = &one
		}},
		{"rayVersion", true, func(spec *rayv1.RayClusterSpec, _ *rayv1.WorkerGroupSpec) {
			spec.RayVersion = "2.49.2"
		}},
	}
	for _, item := range edits {
		noticed := hash(item.edit) != usual
		fmt.Printf("%-18s noticed: %t\n", item.name, noticed)
		if noticed != item.noticed {
			fmt.Println("changed: expected", item.noticed)
			os.Exit(1)
		}
	}
}
GO
go mod tidy > tidy.log 2>&1 || { tail -5 tidy.log; exit 1; }
go run .
