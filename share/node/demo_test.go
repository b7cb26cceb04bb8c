package node

import "testing"

func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 { // what the last one left is no obstacle
		res, err := Demo(t.Context(), DemoOptions{Dir: dir, Step: func(s string) { t.Log(s) }})
		if err != nil {
			t.Fatal(err)
		}
		if res.Files < 4 || res.Bytes < 3<<20 || len(res.ID) != 64 {
			t.Errorf("%+v", res)
		}
	}
}
