package browser

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"popelago/integration/servertest"
)

// limit bounds every step, on a busy machine.
const limit = 5 * time.Minute

// Browser is a running Chromium without a window.
type Browser struct{ ctx context.Context }

// Start starts Chromium, which ends with the test. Certificates are not checked.
func Start(t testing.TB) *Browser {
	t.Helper()
	servertest.NeedProgram(t, "chromium", "chromium")
	dir := servertest.ClientDir(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.NoInheritEnv, chromedp.DisableGPU, chromedp.Env(servertest.CleanEnv(dir)...), chromedp.IgnoreCertErrors, chromedp.WSURLReadTimeout(limit))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has no sandbox for root
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start of Chromium: %v", err)
	}
	return &Browser{ctx}
}
