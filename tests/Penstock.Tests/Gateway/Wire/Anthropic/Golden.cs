using Xunit;

namespace Penstock.Tests.Gateway.Wire.Anthropic;

/// <summary>
/// Whole bodies, byte for byte, in files beside the tests. With <c>PENSTOCK_GOLDENS=write</c> they are written anew, for a person to read
/// before they are committed.
/// </summary>
internal static class Golden
{
    public static void Matches(string folder, string name, ReadOnlySpan<byte> actual)
    {
        var file = FileOf(folder, name);
        if (Environment.GetEnvironmentVariable("PENSTOCK_GOLDENS") == "write")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, actual);
        }

        Assert.Equal(File.ReadAllText(file), System.Text.Encoding.UTF8.GetString(actual));
    }

    public static string Read(string folder, string name) => File.ReadAllText(FileOf(folder, name));

    private static string FileOf(string folder, string name) => Path.Combine(Root(), "tests", "Penstock.Tests", folder, "Goldens", name);

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Penstock.slnx"))) folder = folder.Parent ?? throw new InvalidOperationException("No Penstock.slnx above the tests.");
        return folder.FullName;
    }
}
