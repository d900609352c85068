using Xunit;

namespace Penstock.Architecture;

public sealed class LicenceTests
{
    private static IEnumerable<string> Restored() => new[] { "src", "infra", "tests" }
        .SelectMany(folder => Directory.EnumerateFiles(Repository.PathOf(folder), "*.csproj", SearchOption.AllDirectories))
        .Select(project => Path.Combine(Path.GetDirectoryName(project)!, "obj", "project.assets.json"))
        .Where(File.Exists);

    [Fact]
    public void The_project_is_under_the_MIT_licence()
    {
        var text = Repository.Read("LICENSE");

        Assert.StartsWith("MIT License", text, StringComparison.Ordinal);
        Assert.Equal("MIT", Licences.OfText(text));
    }

    [Fact]
    public void Every_package_has_a_licence_the_OSI_approved()
    {
        var assets = Restored().ToList();

        Assert.Contains(assets, path => path.Contains("Penstock.Architecture", StringComparison.Ordinal));
        Breach.None(assets.SelectMany(Licences.NotOpen).Distinct());
    }

    [Fact]
    public void Every_npm_package_has_a_licence_the_OSI_approved() => Breach.None(
        new[] { "tests", "build" }.SelectMany(folder => Repository.Files(folder, ".json"))
            .Where(file => file.Path.EndsWith("package-lock.json", StringComparison.Ordinal)).SelectMany(Licences.NotOpenInNpm));

    [Theory]
    [InlineData("MIT", true)]
    [InlineData("MIT OR GPL-3.0-only", true)]
    [InlineData("(Apache-2.0 WITH LLVM-exception)", true)]
    [InlineData("MIT AND SSPL-1.0", false)]
    [InlineData("BUSL-1.1", false)]
    [InlineData("none: the package states no licence", false)]
    public void An_expression_is_judged_by_its_parts(string expression, bool approved) => Assert.Equal(approved, Licences.IsApproved(expression));

    [Theory]
    [InlineData("<license type=\"expression\">BUSL-1.1</license>")]
    [InlineData("<license type=\"file\">LICENSE.txt</license>")]
    [InlineData("<licenseUrl>https://example.org/our-terms</licenseUrl>")]
    [InlineData("<licenseUrl>https://go.microsoft.com/fwlink/?LinkId=329770</licenseUrl>")]
    [InlineData("")]
    public void A_package_without_an_approved_licence_is_found(string licence)
    {
        var nuspec = $"<package><metadata><id>made.up</id>{licence}</metadata></package>";

        Assert.False(Licences.IsApproved(Licences.LicenceOf(nuspec, _ => "All rights reserved.")));
    }

    [Fact]
    public void A_package_of_a_restore_that_has_no_licence_is_found()
    {
        var folder = Directory.CreateTempSubdirectory("penstock-licence-");
        try
        {
            Directory.CreateDirectory(Path.Combine(folder.FullName, "made.up", "1.0.0"));
            File.WriteAllText(Path.Combine(folder.FullName, "made.up", "1.0.0", "made.up.nuspec"), "<package><metadata><id>made.up</id></metadata></package>");
            var assets = Path.Combine(folder.FullName, "project.assets.json");
            var root = System.Text.Json.JsonEncodedText.Encode(folder.FullName);
            File.WriteAllText(assets, $$$"""{"packageFolders":{"{{{root}}}":{}},"libraries":{"Made.Up/1.0.0":{"type":"package","path":"made.up/1.0.0"},"Gone/1.0.0":{"type":"package","path":"gone/1.0.0"} } }""");

            Assert.Equal(["Made.Up/1.0.0", "Gone/1.0.0"], Licences.NotOpen(assets).Select(breach => breach.Where));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void An_npm_package_without_an_approved_licence_is_found()
    {
        var file = new SourceFile("package-lock.json", """{"packages":{"":{"name":"own"},"node_modules/a":{"license":"MIT"},"node_modules/b":{"license":"UNLICENSED"},"node_modules/c":{}}}""");

        Assert.Equal(2, Licences.NotOpenInNpm(file).Count());
    }
}
