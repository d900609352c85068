using Xunit;

namespace Penstock.Architecture;

public sealed class ProjectEdgeTests
{
    private const string Heading = "Projects of src";

    // Drivers and SDKs by the prefix of their package; the product reaches all of them through a port.
    private static readonly string[] Outside =
        ["AWSSDK", "Amazon.", "Azure.", "Google.", "Npgsql", "Microsoft.Data.", "Microsoft.EntityFrameworkCore", "SQLitePCLRaw", "System.Data.", "MySql", "MongoDB", "StackExchange.Redis", "Dapper"];

    private static IReadOnlyList<SourceFile> Projects { get; } = Repository.Files("src", ".csproj");

    private static EdgeTable Table { get; } = EdgeTable.Read(Repository.Read("ARCHITECTURE.md"), Heading);

    [Fact]
    public void Every_edge_between_projects_stands_in_the_table() => Breach.None(ProjectEdges.Forbidden(ProjectEdges.Find(Projects), Table));

    [Fact]
    public void Every_row_of_the_project_table_is_used_by_code() => Breach.None(ProjectEdges.Stale(ProjectEdges.Find(Projects), Table));

    [Fact]
    public void Every_project_has_a_row_and_every_row_a_project() =>
        Assert.Equal(Projects.Select(project => ProjectEdges.NameOf(project.Path)).Distinct().Order(), Table.Rows.Keys.Order());

    [Fact]
    public void The_product_knows_no_cloud_and_no_database()
    {
        var product = Projects.Single(project => project.Path == "src/Penstock/Penstock.csproj");
        var locked = Repository.Files("src/Penstock", ".json").Where(file => file.Path.EndsWith("packages.lock.json", StringComparison.Ordinal));

        Breach.None(ForeignPackages(product));
        Breach.None(locked.SelectMany(ForeignInLock));
        Breach.None(Repository.Files("src/Penstock", ".cs").SelectMany(ForeignNamespaces));
    }

    [Theory]
    [InlineData("src/Penstock/Penstock.csproj", "../Penstock.Sqlite/Penstock.Sqlite.csproj", "the product uses an adapter")]
    [InlineData("src/Penstock.Sqlite/Penstock.Sqlite.csproj", "../Penstock.Providers/Penstock.Providers.csproj", "an adapter uses an adapter")]
    [InlineData("src/Penstock.Sqlite/Penstock.Sqlite.csproj", "../hosts/Penstock.Server/Penstock.Server.csproj", "an adapter uses a host")]
    [InlineData("src/hosts/Penstock.Cli/Penstock.Cli.csproj", @"..\Penstock.Server\Penstock.Server.csproj", "a host uses a host")]
    [InlineData("src/Penstock/Penstock.csproj", "../../tests/Penstock.Contracts/Penstock.Contracts.csproj", "the product uses a test")]
    public void A_project_edge_that_is_not_in_the_table_is_found(string project, string reference, string how) =>
        Assert.True(ProjectEdges.Forbidden(ProjectEdges.Find([Made(project, "ProjectReference", reference)]), Table).Any(), how);

    [Fact]
    public void A_project_row_that_no_code_uses_is_found() =>
        Assert.Contains(ProjectEdges.Stale([], Table), breach => breach.What.StartsWith("Penstock.Sqlite → Penstock", StringComparison.Ordinal));

    [Fact]
    public void A_cloud_sdk_or_a_driver_in_the_product_is_found()
    {
        Assert.NotEmpty(ForeignPackages(Made("src/Penstock/Penstock.csproj", "PackageReference", "AWSSDK.S3")));
        Assert.NotEmpty(ForeignInLock(new SourceFile("packages.lock.json", """{"dependencies":{"net10.0":{"Npgsql":{"type":"Transitive"}}}}""")));
        Assert.NotEmpty(ForeignNamespaces(new SourceFile("A.cs", "using Microsoft.Data.Sqlite;\nnamespace Penstock.Keys;")));
        Breach.None(ForeignNamespaces(new SourceFile("A.cs", "using System.Text;\nnamespace Penstock.Keys;")));
    }

    private static SourceFile Made(string path, string item, string include) =>
        new(path, $"""<Project><ItemGroup><{item} Include="{include}" /></ItemGroup></Project>""");

    private static IEnumerable<Breach> ForeignPackages(SourceFile project) =>
        ProjectEdges.Includes(project, "PackageReference").Where(IsForeign).Select(id => new Breach(project.Path, $"the product references {id}"));

    private static IEnumerable<Breach> ForeignInLock(SourceFile file)
    {
        using var json = System.Text.Json.JsonDocument.Parse(file.Text);
        return [.. json.RootElement.GetProperty("dependencies").EnumerateObject().SelectMany(framework => framework.Value.EnumerateObject())
            .Where(package => IsForeign(package.Name)).Select(package => new Breach(file.Path, $"the product brings in {package.Name}"))];
    }

    private static IEnumerable<Breach> ForeignNamespaces(SourceFile file) =>
        file.Text.Split('\n').Where(line => line.StartsWith("using ", StringComparison.Ordinal) || line.StartsWith("global using ", StringComparison.Ordinal))
            .Select(line => line.Trim(';', '\r').Split(' ')[^1])
            .Where(IsForeign).Select(space => new Breach(file.Path, $"the product uses {space}"));

    private static bool IsForeign(string name) => Outside.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal));
}
