package cassandratest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Wipe ends a node and removes all its data, like the loss of its disks. Its settings stay. After a
// plain start the node joins as owner of its part of the ring, without the data: Replace is the
// operator's way to bring it back.
func (n *Node) Wipe() error {
	n.Kill()
	var errs []error
	for _, name := range []string{"data", "commitlog", "saved_caches", "hints", "cdc_raw"} {
		errs = append(errs, os.RemoveAll(filepath.Join(n.dir, name)))
	}
	return errors.Join(errs...)
}

// Replace wipes a node, and starts a new node in its place, at the same address: with auto_bootstrap,
// so that the new node streams its data before serving. Replace waits until the remaining nodes have
// noticed the loss of the old node, and until all see each other.
func (c *Cluster) Replace(ctx context.Context, n *Node) error {
	return c.replace(ctx, n, func(*Node) error { return nil })
}

// ReplaceElsewhere is like Replace, with a new node at another address. See Move.
func (c *Cluster) ReplaceElsewhere(ctx context.Context, n *Node) error {
	return c.replace(ctx, n, c.Move)
}

// replace is Replace. prepare is called before the start of the new node.
func (c *Cluster) replace(ctx context.Context, n *Node, prepare func(*Node) error) error {
	others := slices.DeleteFunc(slices.Clone(c.Nodes), func(o *Node) bool { return o == n || !o.Running() })
	if len(others) == 0 {
		return fmt.Errorf("cassandratest: no other node runs that %s could stream from", n.Name)
	}
	if err := n.Wipe(); err != nil {
		return err
	}
	lost := n.Address
	for _, other := range others {
		if err := other.waitDown(ctx, lost); err != nil {
			return err
		}
	}
	if err := prepare(n); err != nil {
		return err
	}
	// A seed streams nothing, so this node must not be its own seed.
	restore, err := n.rewriteSettings(func(yaml string) string { return streaming(yaml, others[0].Address) })
	if err != nil {
		return err
	}
	args := n.args
	n.args = replacing(args, lost)
	err = n.Start(ctx)
	n.args = args
	return errors.Join(err, restore(), c.saveIfDetached(n), c.seenAfter(ctx, err))
}

// seenAfter waits until all nodes see each other, unless before is an error.
func (c *Cluster) seenAfter(ctx context.Context, before error) error {
	if before != nil {
		return nil
	}
	return c.WaitSeen(ctx)
}

// saveIfDetached saves the arguments without the arguments of the replacement.
func (c *Cluster) saveIfDetached(n *Node) error {
	if !n.detached {
		return nil
	}
	return c.Save()
}

// replacing returns the command line of the first start of a node in place of a lost node.
func replacing(args []string, address string) []string {
	at := slices.Index(args, firstOption) + 1
	return slices.Insert(slices.Clone(args), at, "-Dcassandra.replace_address_first_boot="+address)
}

// streaming changes the settings of a node so that its first start streams, from the cluster of
// seed.
func streaming(yaml, seed string) string {
	return changed(yaml, map[string]string{"auto_bootstrap": "true", "seed_provider": seedProvider(seed)})
}

// waitDown waits until a node considers an address down, or does not know it, by its log.
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
