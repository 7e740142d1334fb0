// Plays scripts to OTP's supervisor and to ours, and compares (script.hpp). Exit codes: 0 they
// agree, 1 they differ, 2 wrong usage or an error, 77 there is no `erl` to compare with.
//
//   otp_test                             the differences on purpose, and 1,000 scripts, from a seed
//                                        of its own choice, which it says
//   otp_test --seed 17 --count 20000     many
//   otp_test --seed 4711 --count 1       one of them again
//   otp_test --script FILE --show        a script from a file, with both stories

#include "compare.hpp"
#include "coverage.hpp"
#include "generate.hpp"
#include "our_side.hpp"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <set>

namespace {

using namespace coppice::otp;

struct options {
  std::uint64_t seed = std::random_device{}();
  std::uint64_t count = 1'000;
  std::vector<std::string> files{};
  bool show = false;
};

/// What differs, if anything does.
std::optional<std::string> play(otp_side& otp, const script& what, coverage* seen, bool show) {
  otp.begin(what);
  const story ours = play_ours(what);
  const story theirs = otp.finish();
  if (seen) seen->add(what, theirs);
  if (show)
    std::cout << to_text(what) << "\n-- OTP\n"
              << to_text(what, theirs) << "\n-- ours\n"
              << to_text(what, ours) << '\n';
  return difference(what, theirs, ours);
}

script read(const std::filesystem::path& file) {
  std::ifstream in{file};
  if (!in) throw std::runtime_error{"open " + file.string()};
  return parse(std::string{std::istreambuf_iterator<char>{in}, {}});
}

int compare_file(otp_side& otp, const std::string& file, coverage& seen, bool show) {
  const script what = read(file);
  const auto differs = play(otp, what, &seen, show);
  if (!differs) return 0;
  std::cout << "they differ on " << file << ":\n\n" << *differs;
  return 1;
}

/// The scripts of docs/supervision.md, "Differences from OTP": both do what is said there.
int compare_on_purpose(otp_side& otp) {
  std::set<std::filesystem::path> files;
  for (const auto& each : std::filesystem::directory_iterator{OTP_ON_PURPOSE})
    files.insert(each.path());
  for (const std::filesystem::path& each : files) {
    if (play(otp, read(each), nullptr, false)) continue;
    std::cout << "no difference any more: " << each << "; docs/supervision.md says there is one\n";
    return 1;
  }
  std::cout << files.size() << " differences on purpose, all there\n";
  return 0;
}

int compare_seed(otp_side& otp, std::uint64_t seed, coverage& seen, bool show) {
  const script what = generate(seed);
  if (parse(to_text(what)) != what) throw std::runtime_error{"unreadable:\n" + to_text(what)};
  if (!play(otp, what, &seen, show)) return 0;
  const script small =
      shrink(what, [&](const script& less) { return play(otp, less, nullptr, false).has_value(); });
  std::cout << "they differ on the script of seed " << seed
            << ". The smallest that they differ on:\n\n"
            << to_text(small) << '\n'
            << play(otp, small, nullptr, false).value_or("") << "\nagain: otp_test --seed " << seed
            << " --count 1 --show\n";
  return 1;
}

int run(const options& chosen) {
  const auto erl = otp_side::find_erl();
  if (!erl) {
    std::cout << "skipped: there is no erl in PATH (package erlang-base; scripts/setup)\n";
    return 77;
  }
  otp_side otp{*erl, OTP_DRIVERS};
  coverage seen;
  for (const std::string& each : chosen.files)
    if (const int code = compare_file(otp, each, seen, chosen.show)) return code;
  if (!chosen.files.empty()) return 0;

  if (const int code = compare_on_purpose(otp)) return code;
  std::cout << "scripts of the seeds from " << chosen.seed << std::endl;
  for (std::uint64_t i = 0; i < chosen.count; ++i)
    if (const int code = compare_seed(otp, chosen.seed + i, seen, chosen.show)) return code;
  std::cout << chosen.count << " scripts, no difference\n" << seen.to_text();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  options chosen;
  CLI::App app{"Compares our supervisor with OTP's, script by script."};
  app.add_option("--seed", chosen.seed, "of the first script; the next one has the next seed");
  app.add_option("--count", chosen.count, "so many scripts");
  app.add_option("--script", chosen.files, "files with a script each, instead");
  app.add_flag("--show", chosen.show, "write down what both did");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(chosen);
  } catch (const std::exception& e) {
    std::cerr << "otp_test: " << e.what() << '\n';
    return 2;
  }
}
