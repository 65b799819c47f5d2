/* What no file of a user needs to hold. Each rule's title ends the sentence "the file holds ...". */

rule eicar
{
    meta:
        title = "the EICAR test virus"
    strings:
        // written in hexadecimal, so that scanners leave this file alone
        $test = { 58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41 52 }
    condition:
        $test
}

rule windows_program
{
    meta:
        title = "a Windows program"
    condition:
        uint16(0) == 0x5A4D and uint32(0x3C) < filesize and uint32(uint32(0x3C)) == 0x00004550
}

rule linux_program
{
    meta:
        title = "a Linux program"
    condition:
        uint32(0) == 0x464C457F
}

rule macos_program
{
    meta:
        title = "a macOS program"
    condition:
        uint32(0) == 0xFEEDFACE or uint32(0) == 0xFEEDFACF or
        uint32(0) == 0xCEFAEDFE or uint32(0) == 0xCFFAEDFE
}

rule office_macros
{
    meta:
        title = "macros"
    strings:
        $project = "_VBA_PROJECT" wide
        $compressed = "Attribut\x00e VB_"
    condition:
        uint32(0) == 0xE011CFD0 and any of them
}

rule packaged_object
{
    meta:
        title = "an embedded program or file that opens by a click"
    strings:
        $packager = "\x01Ole10Native" wide
    condition:
        uint32(0) == 0xE011CFD0 and $packager
}

rule pdf_script
{
    meta:
        title = "a PDF with a script"
    strings:
        $pdf = "%PDF-"
        // a name's letters may be written as #xx (ISO 32000-1, 7.3.5)
        $script = /\/(J|#4[Aa])(a|#61)(v|#76)(a|#61)(S|#53)(c|#63)(r|#72)(i|#69)(p|#70)(t|#74)/
    condition:
        $pdf in (0..1024) and $script
}

rule pdf_launch
{
    meta:
        title = "a PDF that starts a program"
    strings:
        $pdf = "%PDF-"
        $launch = /\/S\s*\/(L|#4[Cc])(a|#61)(u|#75)(n|#6[Ee])(c|#63)(h|#68)\b/
    condition:
        $pdf in (0..1024) and $launch
}

rule pdf_and_archive
{
    meta:
        title = "two files in one, a PDF and an archive"
    strings:
        $pdf = "%PDF-"
        $entry = { 50 4B 03 04 }
        $end = { 50 4B 05 06 }
    condition:
        $pdf in (0..1024) and $entry and filesize > 22 and $end in (filesize - 66000..filesize)
}
