#!/bin/sh
# A trainer in shell and awk: y = w1 x1 + w2 x2 + b, fitted to the lines "x1,x2,y" of $FL_DATA.
set -e
told() { sed -n "s/^ *\"$1\": *\([-+0-9.e]*\),*\$/\1/p" "$FL_CONFIG"; }

{ fl tensor get "$FL_MODEL" w; fl tensor get "$FL_MODEL" b; } |
awk -F, -v rate="$(told rate)" -v epochs="$(told epochs)" -v out="$FL_DIR" '
    NR == FNR { model[FNR] = $1; next }
    { x1[FNR] = $1; x2[FNR] = $2; y[FNR] = $3; n = FNR }
    END {
        for (e = 0; e < epochs; e++) {
            g1 = g2 = g = 0
            for (i = 1; i <= n; i++) {
                d = model[1] * x1[i] + model[2] * x2[i] + model[3] - y[i]
                if (e == 0) loss += d * d
                g1 += d * x1[i]; g2 += d * x2[i]; g += d
            }
            model[1] -= rate * g1 / n; model[2] -= rate * g2 / n; model[3] -= rate * g / n
        }
        printf "%.9g\n%.9g\n", model[1], model[2] > (out "/w")
        printf "%.9g\n", model[3] > (out "/b")
        printf "{\"samples\": %d, \"loss\": %.9g}\n", n, loss / n > (out "/metrics.json")
    }' - "$FL_DATA"

fl tensor put "$FL_MODEL" w < "$FL_DIR/w"
fl tensor put "$FL_MODEL" b < "$FL_DIR/b"
