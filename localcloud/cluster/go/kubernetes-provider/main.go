// The Kubernetes provider as Pulumi builds it, without the schema that its
// release embeds: that one serves `pulumi package`, which nothing here calls.
package main

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

const name = "kubernetes"

func main() {
	schema := fmt.Sprintf(`{"name": %q, "version": %q}`, name, version.Version)
	provider.Serve(name, version.Version, []byte(schema), []byte("{}"))
}
