# Numbers for tests/test_eval_stats.c from R: base R's binom.test and p.adjust, and pROC's DeLong.
#
#   Rscript tools/golden_stats.R > tests/golden/stats_r.json       (Debian: r-base-core r-cran-proc)
#
# Scores are drawn with few digits, so that many tie, and some sets are tiny or one-sided.
suppressMessages(library(pROC))
RNGversion("4.0.0")
set.seed(20190115)

num <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), "null")
arr <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
rows <- function(x) paste0("[\n    ", paste(x, collapse = ",\n    "), "\n  ]")

# hits, n, confidence, upper, lower, two-sided low, two-sided high
binomial <- c()
sizes <- list(c(0, 1), c(1, 1), c(0, 59), c(0, 58), c(1, 93), c(5, 147), c(147, 147), c(100, 1000), c(37, 100000))
for (i in 1:20) { n <- sample(1:400, 1); sizes[[length(sizes) + 1]] <- c(sample(0:n, 1), n) }
for (s in sizes) for (confidence in c(.9, .95, .99)) {
  two <- binom.test(s[1], s[2], conf.level = confidence)$conf.int
  upper <- binom.test(s[1], s[2], alternative = "less", conf.level = confidence)$conf.int[2]
  lower <- binom.test(s[1], s[2], alternative = "greater", conf.level = confidence)$conf.int[1]
  binomial <- c(binomial, arr(c(s, confidence, upper, lower, two)))
}

# k, n, p, P(X <= k)
cdf <- c()
for (i in 1:60) {
  n <- sample(c(1:50, 147, 378, 1000, 20000), 1); p <- round(runif(1), 3); k <- rbinom(1, n, p)
  cdf <- c(cdf, arr(c(k, n, p, pbinom(k, n, p))))
}

# only first right, only second right, p
mcnemar <- c()
for (i in 1:25) {
  b <- sample(0:30, 1); c <- if (i %% 5 == 0) b else sample(0:30, 1)
  if (b + c > 0) mcnemar <- c(mcnemar, arr(c(b, c, binom.test(b, b + c)$p.value)))
}

holm <- c()
for (m in c(1, 2, 3, 6, 10)) for (i in 1:3) {
  p <- round(runif(m)^3, 4)
  holm <- c(holm, sprintf("{\"p\": %s, \"adjusted\": %s}", arr(p), arr(p.adjust(p, "holm"))))
}

delong <- c()
for (i in 1:16) {
  n <- sample(c(8, 20, 60), 1); digits <- sample(0:2, 1)
  truth <- as.integer(c(1, 1, 0, 0, runif(n - 4) < .4))
  a <- round(rnorm(n) + truth, digits); b <- round(a * runif(1) + rnorm(n) + .5 * truth, digits)
  ra <- roc(truth, a, direction = "<", quiet = TRUE); rb <- roc(truth, b, direction = "<", quiet = TRUE)
  t <- roc.test(ra, rb, method = "delong", paired = TRUE)
  delong <- c(delong, sprintf(
    "{\"truth\": %s, \"first\": %s, \"second\": %s,\n     \"auc\": %s, \"variance\": %s, \"covariance\": %s, \"z\": %s, \"p\": %s}",
    arr(truth), arr(a), arr(b), arr(c(auc(ra), auc(rb))), arr(c(var(ra), var(rb))), num(cov(ra, rb)),
    num(-t$statistic), num(t$p.value)))
}

cat(sprintf("{\n  \"made_by\": \"%s, pROC %s\",\n  \"binomial\": %s,\n  \"cdf\": %s,\n  \"mcnemar\": %s,\n  \"holm\": %s,\n  \"delong\": %s\n}\n",
            R.version.string, packageVersion("pROC"), rows(binomial), rows(cdf), rows(mcnemar), rows(holm), rows(delong)))
