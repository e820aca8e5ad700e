#include "src/text/sampler_options.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>
#include <string_view>

namespace leyden::text {
namespace {

void expect(bool good, std::string_view option, double value, std::string_view expected) {
  if (good) return;
  throw std::invalid_argument(fmt::format("{} is {}, expected {}", option, value, expected));
}

}  // namespace

void check(const SamplerOptions& o) {
  expect(std::isfinite(o.temperature) && o.temperature >= 0, "temperature", o.temperature,
         "0 or more");
  expect(o.top_k >= 0, "top-k", o.top_k, "0 (all) or more");
  expect(o.top_p > 0 && o.top_p <= 1, "top-p", o.top_p, "more than 0 and at most 1");
  expect(o.min_p >= 0 && o.min_p <= 1, "min-p", o.min_p, "0 to 1");
  expect(o.typical_p > 0 && o.typical_p <= 1, "typical-p", o.typical_p,
         "more than 0 and at most 1");
  expect(std::isfinite(o.repeat_penalty) && o.repeat_penalty > 0, "repeat-penalty",
         o.repeat_penalty, "more than 0");
  expect(std::isfinite(o.frequency_penalty), "frequency-penalty", o.frequency_penalty, "a number");
  expect(std::isfinite(o.presence_penalty), "presence-penalty", o.presence_penalty, "a number");
  expect(o.penalty_window >= 0, "penalty-window", o.penalty_window, "0 (all) or more");
  for (const auto& [token, bias] : o.logit_bias) {
    expect(token >= 0, "logit-bias token", token, "a token id");
    expect(std::isfinite(bias), "logit-bias", bias,
           "a finite number; -100 all but forbids a token");
  }
}

}  // namespace leyden::text
