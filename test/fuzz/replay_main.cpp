// Gives every file of the folders (or files) named on the command line to a fuzz target, with no
// fuzzer: how the corpora are replayed by any compiler's tests. A crash names its file.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::set<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.insert(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator{argv[i]})
      if (entry.is_regular_file()) files.insert(entry.path());
  }
  for (const auto& file : files) {
    std::ifstream in{file, std::ios::binary};
    const std::vector<char> bytes{std::istreambuf_iterator<char>{in}, {}};
    if (in.bad() || !in.is_open()) return std::printf("%s: cannot be read\n", file.c_str()), 1;
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
    // A copy of the exact size, so that AddressSanitizer sees the first byte too far.
    const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  }
  std::printf("%zu inputs replayed\n", files.size());
  return files.empty() ? 1 : 0;
}
