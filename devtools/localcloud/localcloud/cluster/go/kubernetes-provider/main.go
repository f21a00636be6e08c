// The Kubernetes provider as Pulumi builds it, without the schema that its
// release embeds: that one serves `pulumi package`, which nothing here calls.
// And it ends when the engine that started it is gone: one that is killed
// cannot tell its plugins to stop, and they would wait for ever.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

const name = "kubernetes"

func endWithParent(parent int) {
	for os.Getppid() == parent {
		time.Sleep(500 * time.Millisecond)
	}
	os.Exit(1)
}

func main() {
	go endWithParent(os.Getppid())
	schema := fmt.Sprintf(`{"name": %q, "version": %q}`, name, version.Version)
	provider.Serve(name, version.Version, []byte(schema), []byte("{}"))
}
