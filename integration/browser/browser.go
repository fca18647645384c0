package browser

import (
	"context"
	"os"
	"os/exec"
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

// programs are programs of the engine of Chromium, cheapest first. A page costs chromium, which also draws tabs
// and a menu, twice as much.
var programs = []string{"chromium-headless-shell", "chromium"}

// Need skips the test if no program of Chromium is installed. With CI=true the test fails. Need returns the name
// of the program.
func Need(t testing.TB) string {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			return program
		}
	}
	servertest.NeedProgram(t, programs[0], programs[0])
	return ""
}

// Start starts Chromium, which ends with the test. Certificates are not checked.
func Start(t testing.TB) *Browser {
	t.Helper()
	program := Need(t)
	dir := servertest.ClientDir(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(filepath.Join(dir, "profile")),
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
