using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Penstock.Architecture;

/// <summary>Under which licence each package came that a restore brought in.</summary>
internal static partial class Licences
{
    // SPDX names of licences the OSI approved, as far as packages we meet use them. A new one is added here once it was looked up at opensource.org/licenses.
    private static readonly HashSet<string> Approved =
    [
        "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "MPL-2.0", "MS-PL", "PostgreSQL", "Unlicense", "Zlib",
        "BlueOak-1.0.0", "Python-2.0", "Artistic-2.0", "Unicode-3.0",
    ];

    // Packages older than licence expressions point at a page.
    private static readonly Dictionary<string, string> KnownPages = new(StringComparer.OrdinalIgnoreCase)
    {
        ["https://licenses.nuget.org/MIT"] = "MIT",
        ["https://licenses.nuget.org/Apache-2.0"] = "Apache-2.0",
        ["https://www.apache.org/licenses/LICENSE-2.0"] = "Apache-2.0",
        ["http://www.apache.org/licenses/LICENSE-2.0"] = "Apache-2.0",
        ["https://opensource.org/licenses/MIT"] = "MIT",
        ["https://go.microsoft.com/fwlink/?LinkId=329770"] = "none: Microsoft .NET Library licence",
        ["https://github.com/dotnet/corefx/blob/master/LICENSE.TXT"] = "MIT",
        ["https://github.com/dotnet/standard/blob/master/LICENSE.TXT"] = "MIT",
    };

    /// <summary>Packages of one restored project (<c>obj/project.assets.json</c>) that no approved licence covers.</summary>
    public static IEnumerable<Breach> NotOpen(string assetsFile)
    {
        using var assets = JsonDocument.Parse(File.ReadAllText(assetsFile));
        var folders = assets.RootElement.GetProperty("packageFolders").EnumerateObject().Select(folder => folder.Name).ToList();
        foreach (var library in assets.RootElement.GetProperty("libraries").EnumerateObject())
        {
            if (library.Value.GetProperty("type").GetString() != "package") continue;

            var path = library.Value.GetProperty("path").GetString()!;
            var folder = folders.Select(root => Path.Combine(root, path)).FirstOrDefault(Directory.Exists);
            var nuspec = folder is null ? null : Directory.EnumerateFiles(folder, "*.nuspec").FirstOrDefault();
            var licence = nuspec is null ? "none: its nuspec is not in the package folder" : LicenceOf(File.ReadAllText(nuspec), name => File.ReadAllText(Path.Combine(folder!, name)));
            if (!IsApproved(licence)) yield return new Breach(library.Name, $"its licence is {licence}");
        }
    }

    /// <summary>Packages of an npm lock file that no approved licence covers.</summary>
    public static IEnumerable<Breach> NotOpenInNpm(SourceFile lockFile)
    {
        using var json = JsonDocument.Parse(lockFile.Text);
        foreach (var package in json.RootElement.GetProperty("packages").EnumerateObject().Where(package => package.Name.Length > 0))
        {
            var licence = package.Value.TryGetProperty("license", out var given) && given.ValueKind == JsonValueKind.String ? given.GetString()! : "none: not stated in the lock file";
            if (!IsApproved(licence)) yield return new Breach($"{lockFile.Path} {package.Name}", $"its licence is {licence}");
        }
    }

    /// <summary>An SPDX expression, or <c>none</c> and why.</summary>
    public static string LicenceOf(string nuspec, Func<string, string> readFile)
    {
        var metadata = XDocument.Parse(nuspec).Root!.Elements().First(node => node.Name.LocalName == "metadata").Elements().ToList();
        var licence = metadata.Find(node => node.Name.LocalName == "license");
        if ((string?)licence?.Attribute("type") == "expression") return licence!.Value;
        if ((string?)licence?.Attribute("type") == "file") return OfText(readFile(licence!.Value.Replace('\\', '/')));

        var page = metadata.Find(node => node.Name.LocalName == "licenseUrl")?.Value.Trim();
        return page is null ? "none: the package states no licence" : KnownPages.GetValueOrDefault(page, $"none: {page} is no page we know");
    }

    /// <summary><c>A OR B</c> needs one approved, <c>A AND B</c> both; <c>WITH</c> an exception only ever permits more.</summary>
    public static bool IsApproved(string expression)
    {
        var bare = WithException().Replace(expression.Replace("(", "", StringComparison.Ordinal).Replace(")", "", StringComparison.Ordinal), "");
        return bare.Split(" OR ").Any(choice => choice.Split(" AND ").All(licence => Approved.Contains(licence.Trim())));
    }

    public static string OfText(string text) => Regex.Replace(text, @"\s+", " ") switch
    {
        var mit when mit.Contains("Permission is hereby granted, free of charge, to any person obtaining a copy of this software", StringComparison.Ordinal)
            && mit.Contains("THE SOFTWARE IS PROVIDED \"AS IS\"", StringComparison.Ordinal) => "MIT",
        var apache when apache.Contains("Apache License Version 2.0", StringComparison.Ordinal) => "Apache-2.0",
        _ => "none: a text we do not know",
    };

    [GeneratedRegex(@" WITH [\w.-]+")]
    private static partial Regex WithException();
}
