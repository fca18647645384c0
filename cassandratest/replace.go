package cassandratest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Wipe ends a node and removes all that it has stored, as the loss of its disks would. Its
// settings stay. Started again as it is, it joins as a node that owns its part of the ring and has
// nothing of what it should hold: Replace is how an operator brings it back.
func (n *Node) Wipe() error {
	n.Kill()
	var errs []error
	for _, name := range []string{"data", "commitlog", "saved_caches", "hints", "cdc_raw"} {
		errs = append(errs, os.RemoveAll(filepath.Join(n.dir, name)))
	}
	return errors.Join(errs...)
}

// Replace wipes a node, and starts a new one in its place, at the same address: with
// auto_bootstrap, so that it streams from the others what it should hold before it serves. It waits
// until the others have noticed that the old one is gone, and until all see each other.
func (c *Cluster) Replace(ctx context.Context, n *Node) error {
	others := slices.DeleteFunc(slices.Clone(c.Nodes), func(o *Node) bool { return o == n || !o.Running() })
	if len(others) == 0 {
		return fmt.Errorf("cassandratest: no other node runs that %s could stream from", n.Name)
	}
	if err := n.Wipe(); err != nil {
		return err
	}
	for _, other := range others {
		if err := other.waitDown(ctx, n.Address); err != nil {
			return err
		}
	}
	// A seed streams nothing, so this node must not be its own.
	restore, err := n.rewriteSettings(func(yaml string) string { return streaming(yaml, others[0].Address) })
	if err != nil {
		return err
	}
	args := n.args
	n.args = replacing(args, n.Address)
	err = n.Start(ctx)
	n.args = args
	return errors.Join(err, restore(), c.saveIfDetached(n), c.seenAfter(ctx, err))
}

// seenAfter waits until all nodes see each other, unless there was an error before.
func (c *Cluster) seenAfter(ctx context.Context, before error) error {
	if before != nil {
		return nil
	}
	return c.WaitSeen(ctx)
}

// saveIfDetached keeps the arguments without those of the replacement.
func (c *Cluster) saveIfDetached(n *Node) error {
	if !n.detached {
		return nil
	}
	return c.Save()
}

// replacing is the command line of the first start of a node in place of another.
func replacing(args []string, address string) []string {
	at := slices.Index(args, firstOption) + 1
	return slices.Insert(slices.Clone(args), at, "-Dcassandra.replace_address_first_boot="+address)
}

// streaming changes the settings of a node so that its first start streams, from a cluster that
// a seed belongs to.
func streaming(yaml, seed string) string {
	return changed(yaml, map[string]string{"auto_bootstrap": "true", "seed_provider": seedProvider(seed)})
}

// waitDown waits until a node takes an address to be down, or never heard of it, by its log.
func (n *Node) waitDown(ctx context.Context, address string) error {
	for {
		if _, up := n.history(); up[address] == "" {
			return nil
		}
		if pause(ctx) != nil {
			return fmt.Errorf("cassandratest: node %s still takes %s to be up: %w", n.Name, address, ctx.Err())
		}
	}
}
